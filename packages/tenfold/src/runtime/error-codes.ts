/**
 * Every code that Tenfold raises, by room, with what the reader should do about it.
 * `docs/reference/errors.md` is generated from this table; retired codes stay listed there.
 */
export const errorCodes = {
  // runtime
  TENFOLD_OPTION_INVALID: "Correct the option that the message names.",
  TENFOLD_OPTION_UNKNOWN: "Remove the key, or correct its spelling; the message lists what exists.",
  TENFOLD_ABORTED: "The caller's signal fired; nothing to mend.",
  TENFOLD_DEADLINE_EXCEEDED: "Give the call more time, or look at what it was waiting for.",
  TENFOLD_INTERNAL: "A defect of Tenfold: report it with the log line.",
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof errorCodes;
