import type { InstanceStatus } from "../../cli/src/console/console-state.ts";

/** The colour of a state. */
export type StatusKind = "good" | "busy" | "bad" | "idle";

const kinds: Readonly<Record<InstanceStatus, StatusKind>> = {
  ready: "good",
  starting: "busy",
  stopping: "busy",
  backoff: "bad",
  failed: "bad",
  silent: "bad",
  stopped: "idle",
};

const words: Readonly<Record<InstanceStatus, string>> = {
  ready: "ready",
  starting: "starting",
  stopping: "stopping",
  backoff: "down",
  failed: "fails again and again",
  silent: "does not answer",
  stopped: "stopped",
};

export function statusKind(status: InstanceStatus): StatusKind {
  return kinds[status];
}

export function statusWord(status: InstanceStatus): string {
  return words[status];
}
