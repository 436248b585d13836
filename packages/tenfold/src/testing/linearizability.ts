/** What a call on one key was, and what its caller was told. A value of `undefined`: no entry. */
export type RegisterAction =
  | { readonly kind: "read"; readonly value: string | undefined }
  | { readonly kind: "write"; readonly value: string | undefined }
  /** Writes when `expected` is what is there. A refused one says that something else was. */
  | {
      readonly kind: "swap";
      readonly expected: string | undefined;
      readonly value: string | undefined;
      readonly refused: boolean;
    };

/** One call as its caller saw it; times by a clock that all callers share. */
export interface RegisterCall {
  readonly key: string;
  readonly calledAt: number;
  /** Infinity when it is not known whether it took effect: it may have, at any later time. */
  readonly answeredAt: number;
  readonly action: RegisterAction;
}

export type LinearizabilityVerdict =
  | { readonly verdict: "linearizable" }
  /** `stuck`: the answers that no order explains, of the attempt that came furthest. */
  | { readonly verdict: "broken"; readonly key: string; readonly stuck: readonly RegisterCall[] }
  /** The search was given up after `stepsMax`. */
  | { readonly verdict: "undecided"; readonly key: string };

/**
 * Is there an order of the calls that fits all answers and in which no call moves over another that
 * ended before it began? Each key is looked at alone, which is enough (Herlihy and Wing 1990) and
 * keeps the search small. Search: Wing and Gong 1993 with Lowe's memory of what was tried, as in
 * Porcupine; exponential at worst in the calls that overlap.
 *
 * @param calls every key begins without an entry; calls that surely had no effect are left out.
 * @param options.stepsMax for each key; default 2,000,000
 */
export function checkLinearizable(
  calls: readonly RegisterCall[],
  options: { readonly stepsMax?: number } = {},
): LinearizabilityVerdict {
  const { stepsMax = 2_000_000 } = options;
  for (const [key, ofKey] of Map.groupBy(calls, (call) => call.key)) {
    const found = searchOrder(ofKey, stepsMax);
    if (found === "undecided") return { verdict: "undecided", key };
    if (found !== "linearizable") return { verdict: "broken", key, stuck: found };
  }
  return { verdict: "linearizable" };
}

/** The beginning or the end of a call, in a list by time from which placed calls are taken out. */
interface Moment {
  readonly call: RegisterCall;
  readonly bit: bigint;
  readonly isStart: boolean;
  /** Of a start: its end, unless it has none. */
  readonly end: Moment | undefined;
  before: Moment | undefined;
  after: Moment | undefined;
}

type State = string | undefined;
const impossible = Symbol("impossible");

function searchOrder(
  calls: readonly RegisterCall[],
  stepsMax: number,
): "linearizable" | "undecided" | readonly RegisterCall[] {
  const head = momentsByTime(calls);
  const placed: { readonly start: Moment; readonly state: State }[] = [];
  const tried = new Set<string>();
  let open = calls.filter(hasEnd).length;
  let furthest = 0;
  let stuck: readonly RegisterCall[] = [];
  let state: State;
  let done = 0n;
  let at = head.after;
  for (let step = 0; open > 0; step++) {
    if (step >= stepsMax) return "undecided";
    const moment = at as Moment;
    if (moment.isStart) {
      const next = stateAfter(state, moment.call.action);
      const mark = `${done | moment.bit} ${next === impossible ? "" : JSON.stringify(next)}`;
      if (next !== impossible && !tried.has(mark)) {
        tried.add(mark);
        placed.push({ start: moment, state });
        state = next;
        done |= moment.bit;
        takeOut(moment);
        if (moment.end !== undefined) open--;
        at = head.after;
      } else at = moment.after;
    } else {
      // This answer came, and its call could not be placed before it: go back.
      if (stuck.length === 0 || placed.length > furthest) {
        furthest = placed.length;
        stuck = waiting(head, moment);
      }
      const last = placed.pop();
      if (last === undefined) return stuck;
      state = last.state;
      done ^= last.start.bit;
      putBack(last.start);
      if (last.start.end !== undefined) open++;
      at = last.start.after;
    }
  }
  return "linearizable";
}

function stateAfter(state: State, action: RegisterAction): State | typeof impossible {
  if (action.kind === "write") return action.value;
  if (action.kind === "read") return action.value === state ? state : impossible;
  if (action.refused) return action.expected === state ? impossible : state;
  return action.expected === state ? action.value : impossible;
}

const hasEnd = (call: RegisterCall): boolean => Number.isFinite(call.answeredAt);

/** A list with an empty head. At the same instant beginnings come first: they may overlap. */
function momentsByTime(calls: readonly RegisterCall[]): Moment {
  const none = { before: undefined, after: undefined };
  const moments = calls.flatMap((call, index) => {
    const bit = 1n << BigInt(index);
    const end = hasEnd(call)
      ? { call, bit, isStart: false, end: undefined, ...none, at: call.answeredAt }
      : undefined;
    const start = { call, bit, isStart: true, end, ...none, at: call.calledAt };
    return end === undefined ? [start] : [start, end];
  });
  moments.sort((a, b) => a.at - b.at || Number(b.isStart) - Number(a.isStart));
  const head = { ...(moments[0] as Moment), ...none };
  let last: Moment = head;
  for (const moment of moments as Moment[]) {
    moment.before = last;
    last.after = moment;
    last = moment;
  }
  return head;
}

function takeOut(start: Moment): void {
  for (const moment of start.end === undefined ? [start] : [start, start.end]) {
    if (moment.before) moment.before.after = moment.after;
    if (moment.after) moment.after.before = moment.before;
  }
}

/** In the opposite order of `takeOut`, so that neighbours are found where they were. */
function putBack(start: Moment): void {
  for (const moment of start.end === undefined ? [start] : [start.end, start]) {
    if (moment.before) moment.before.after = moment;
    if (moment.after) moment.after.before = moment;
  }
}

/** The calls that had begun and were not placed when the answer came. */
function waiting(head: Moment, answer: Moment): readonly RegisterCall[] {
  const calls: RegisterCall[] = [];
  for (let at = head.after; at !== undefined && at !== answer; at = at.after) calls.push(at.call);
  return [...new Set([...calls, answer.call])];
}
