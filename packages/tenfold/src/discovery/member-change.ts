import type { EndpointLoad, Member } from "./endpoint.ts";

export const memberChangeDefaults: {
  readonly loadEveryMs: number;
  readonly utilisationStep: number;
  readonly requestsStep: number;
} = Object.freeze({
  /** The coordinator is no message bus: a load is written no more often than this. */
  loadEveryMs: 5_000,
  /** What counts as another load: so much of its time, or … */
  utilisationStep: 0.1,
  /** … so many requests, where that is also half or twice as many. */
  requestsStep: 8,
});

/**
 * Is what an instance now says of itself worth a write? Anything but its load is, at once; a load
 * when it really differs and the last write is some seconds ago.
 */
export function isWorthWriting(before: Member, after: Member, sinceWriteMs: number): boolean {
  const { load: _, startedAtMs: __, ...rest } = before;
  const { load: ___, startedAtMs: ____, ...restAfter } = after;
  if (!sameFields(rest, restAfter)) return true;
  return sinceWriteMs >= memberChangeDefaults.loadEveryMs && loadDiffers(before.load, after.load);
}

function sameFields(before: object, after: object): boolean {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<never>;
  return [...names].every((name) => before[name] === after[name]);
}

function loadDiffers(before: EndpointLoad | undefined, after: EndpointLoad | undefined): boolean {
  if (before === undefined || after === undefined) return before !== after;
  const { utilisationStep, requestsStep } = memberChangeDefaults;
  if (Math.abs(after.utilisation - before.utilisation) >= utilisationStep) return true;
  const [few, many] = [before.requests, after.requests].sort((a, b) => a - b) as [number, number];
  return many - few >= requestsStep && many >= 2 * few;
}
