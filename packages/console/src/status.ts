import type { InstanceState, InstanceStatus } from "../../cli/src/console/console-state.ts";

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

/** An end stays to be seen this long, also where the next life began at once. */
const brokenForMs = 2_500;

/** @param timeMs of the state that the instance is from */
export function statusKind(instance: InstanceState, timeMs: number): StatusKind {
  return justBroke(instance, timeMs) ? "bad" : kinds[instance.status];
}

export function statusWord(instance: InstanceState, timeMs: number): string {
  const { status, restarts } = instance;
  if (justBroke(instance, timeMs)) return "down";
  return status === "starting" && restarts > 0 ? "starting again" : words[status];
}

function justBroke({ brokeAtMs }: InstanceState, timeMs: number): boolean {
  return brokeAtMs !== undefined && timeMs - brokeAtMs < brokenForMs;
}
