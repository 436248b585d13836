import { appendFile, rename, stat } from "node:fs/promises";

import type { Clock } from "../runtime/clock.ts";

export interface FleetEvent {
  readonly sequence: number;
  readonly timeMs: number;
  /** A process name, or "supervisor". */
  readonly instance: string;
  /** A process state, or what the supervisor did. */
  readonly kind: string;
  readonly message: string;
  /** Did something end that should not have? */
  readonly unexpected: boolean;
}

export interface EventLog {
  add(event: Omit<FleetEvent, "sequence" | "timeMs">): void;
  /**
   * Events after a sequence, oldest first; waits up to `waitMs` for the first. A sequence that was
   * never given is of an earlier life of the fleet: all events are newer.
   */
  after(sequence: number, waitMs: number): Promise<readonly FleetEvent[]>;
  /** Writes what is left. */
  close(): Promise<void>;
}

const kept = 1_000;
const fileBytesMax = 5 * 1024 * 1024;

/** What happened to a fleet: the last 1,000 events in memory, all of them in a file of lines. */
export function createEventLog(
  file: string,
  clock: Clock,
  tell: (event: FleetEvent) => void,
): EventLog {
  const events: FleetEvent[] = [];
  const waiters = new Set<() => void>();
  let next = 1;
  let writing = Promise.resolve();
  return {
    add(event) {
      const full = { sequence: next++, timeMs: clock.wallNow(), ...event };
      events.push(full);
      if (events.length > kept) events.shift();
      tell(full);
      for (const wake of waiters) wake();
      // A full disk must not stop the supervisor: the line is lost, the fleet goes on.
      writing = writing.then(() => append(file, full)).catch(() => {});
    },
    async after(sequence, waitMs) {
      const from = sequence < next ? sequence : 0;
      const newer = () => events.filter((event) => event.sequence > from);
      if (newer().length > 0 || waitMs <= 0) return newer();
      await new Promise<void>((resolve) => {
        const done = (): void => {
          timer.cancel();
          waiters.delete(done);
          resolve();
        };
        const timer = clock.setTimer(waitMs, done);
        waiters.add(done);
      });
      return newer();
    },
    async close() {
      for (const wake of waiters) wake();
      await writing;
    },
  };
}

async function append(file: string, event: FleetEvent): Promise<void> {
  const size = await stat(file).then(
    (stats) => stats.size,
    () => 0,
  );
  if (size > fileBytesMax) await rename(file, `${file}.1`);
  await appendFile(file, `${JSON.stringify(event)}\n`, { mode: 0o600 });
}
