import type { CallContext, CallOptions } from "./call-layer.ts";
import type { Answer, CallPolicy, Fault } from "./layered-policy.ts";

/** A function under a policy; `with` gives the same for calls with options of their own. */
export interface Guarded<A extends readonly unknown[], T> {
  (...args: A): Promise<T>;
  with(options: CallOptions): (...args: A) => Promise<T>;
}

/**
 * Puts any function under a policy: an SQL statement, a Redis command, a client of somebody else.
 * The function is given the attempt first, whose `signal` it should hand on, then its arguments.
 */
export function guard<A extends readonly unknown[], T>(
  fn: (call: CallContext, ...args: A) => T | Promise<T>,
  policy: CallPolicy,
): Guarded<A, T>;
/** … and has `failBack` stand in for it when it fails; the answer says which of them it is. */
export function guard<A extends readonly unknown[], T, F>(
  fn: (call: CallContext, ...args: A) => T | Promise<T>,
  policy: CallPolicy,
  failBack: (fault: Fault, ...args: A) => F | Promise<F>,
): Guarded<A, Answer<T, F>>;
export function guard<A extends readonly unknown[], T, F>(
  fn: (call: CallContext, ...args: A) => T | Promise<T>,
  policy: CallPolicy,
  failBack?: (fault: Fault, ...args: A) => F | Promise<F>,
): Guarded<A, T> | Guarded<A, Answer<T, F>> {
  if (failBack === undefined) {
    return guarded((options, args: A) => policy.run((call) => fn(call, ...args), options));
  }
  return guarded((options, args: A) =>
    policy.runOr(
      (call) => fn(call, ...args),
      (fault) => failBack(fault, ...args),
      options,
    ),
  );
}

function guarded<A extends readonly unknown[], T>(
  run: (options: CallOptions | undefined, args: A) => Promise<T>,
): Guarded<A, T> {
  return Object.assign((...args: A) => run(undefined, args), {
    with:
      (options: CallOptions) =>
      (...args: A) =>
        run(options, args),
  });
}
