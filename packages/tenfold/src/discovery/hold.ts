import { TenfoldError } from "../runtime/errors.ts";

/** The calls that wait for an endpoint: bounded in number and in the bytes they keep. */
export interface Hold {
  readonly count: number;
  /**
   * Lets one in; gives what lets it out.
   * @throws TENFOLD_DISCOVERY_HOLD_FULL
   */
  enter(bytes: number): () => void;
}

export function hold(limits: { readonly heldMax: number; readonly heldBytesMax: number }): Hold {
  const state = { count: 0, bytes: 0 };
  return {
    get count() {
      return state.count;
    },
    enter(bytes) {
      if (state.count >= limits.heldMax || state.bytes + bytes > limits.heldBytesMax) {
        throw new TenfoldError(
          "TENFOLD_DISCOVERY_HOLD_FULL",
          `${state.count} calls wait for an instance already.`,
          { retryable: true, retryAfterMs: 1_000 },
        );
      }
      state.count++;
      state.bytes += bytes;
      let inside = true;
      return () => {
        if (!inside) return;
        inside = false;
        state.count--;
        state.bytes -= bytes;
      };
    },
  };
}
