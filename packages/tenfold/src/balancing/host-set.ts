import type { Candidate } from "./candidate.ts";
import type { HostState } from "./host.ts";
import { nearShare, type ZoneOptions } from "./zones.ts";

/** Who may be picked, worked out once and used until something about it changes. */
export interface HostSet<E extends Candidate> {
  /** In the caller's zone; all hosts where zones play no part. */
  readonly near: readonly HostState<E>[];
  readonly far: readonly HostState<E>[];
  /** The share of calls that stays near. */
  readonly nearShare: number;
  /** Those that a call may find to be well again. */
  readonly failing: readonly HostState<E>[];
  /** Ejection is ignored: too few would be left. */
  readonly panic: boolean;
  /** From then on someone who is out may be picked again. */
  readonly validUntil: number;
}

export interface HostSetLimits {
  readonly panicShare: number;
  readonly zone: Required<ZoneOptions> | undefined;
}

/** @param hosts those that take calls, ejected ones included. O(n). */
export function hostSet<E extends Candidate>(
  hosts: readonly HostState<E>[],
  now: number,
  { panicShare, zone }: HostSetLimits,
): HostSet<E> {
  const well = hosts.filter((host) => !host.isOut(now));
  // With more out than in, the fault is rather in the judgement than in the hosts.
  const panic = well.length === 0 || well.length < panicShare * hosts.length;
  const from = panic ? hosts : well;
  let validUntil = Number.POSITIVE_INFINITY;
  for (const host of hosts) {
    if (host.isOut(now)) validUntil = Math.min(validUntil, host.health.probeAt);
  }
  const isNear = (host: HostState<E>): boolean => host.endpoint.zone === zone?.own;
  const near = zone === undefined ? from : from.filter(isNear);
  const far = zone === undefined ? [] : from.filter((host) => !isNear(host));
  const failing = hosts.filter(({ health }) => health.failures > 0);
  const common = { failing, panic: panic && from.length > well.length, validUntil };
  if (far.length === 0 || near.length === 0) {
    return { ...common, near: from, far: [], nearShare: 1 };
  }
  const share = nearShare(
    weightOf(near),
    weightOf(hosts.filter(isNear)),
    zone?.overProvision as number,
  );
  return { ...common, near, far, nearShare: share };
}

function weightOf(hosts: readonly { readonly weight: number }[]): number {
  return hosts.reduce((sum, { weight }) => sum + weight, 0);
}
