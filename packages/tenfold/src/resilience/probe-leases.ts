/** The few calls that find out whether a callee is well again. */
export interface ProbeLeases {
  begin(): void;
  /** May one more go under this permit? Never more are out, or were well, than are needed. */
  lease(permit: number, at: number): boolean;
  /** Gives the lease back; false when it had run out, or was none. */
  settle(permit: number, at: number): boolean;
  /** One went well; true when enough have. */
  passed(): boolean;
  /** Until the next lease can be had. */
  freeInMs(at: number): number;
}

/**
 * A lease ends by itself, so a probe that never settles cannot keep the circuit half-open for ever.
 *
 * @param needed 1 … 100.
 */
export function probeLeases(needed: number, leaseMs: number): ProbeLeases {
  const leases = Array.from({ length: needed }, () => ({ permit: 0, until: 0 }));
  const state = { passed: 0 };
  const isFree = (lease: { permit: number; until: number }, at: number): boolean =>
    lease.permit === 0 || at >= lease.until;

  return {
    begin() {
      state.passed = 0;
      for (const lease of leases) lease.permit = 0;
    },
    lease(permit, at) {
      let out = 0;
      let free = leases[0];
      for (const lease of leases) {
        if (isFree(lease, at)) free = lease;
        else out++;
      }
      if (free === undefined || out + state.passed >= needed) return false;
      free.permit = permit;
      free.until = at + leaseMs;
      return true;
    },
    settle(permit, at) {
      const lease = leases.find((each) => each.permit === permit);
      if (lease === undefined) return false;
      const held = !isFree(lease, at);
      lease.permit = 0;
      return held;
    },
    passed() {
      state.passed++;
      return state.passed >= needed;
    },
    freeInMs(at) {
      const out = leases.filter((lease) => !isFree(lease, at));
      if (out.length + state.passed < needed) return 0;
      return Math.max(0, Math.min(...out.map(({ until }) => until)) - at);
    },
  };
}
