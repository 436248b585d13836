/** Exit codes beyond 0 (done) and 1 (failed), for scripts. */
export const exitCodes: {
  readonly notThere: number;
  readonly unsure: number;
  readonly lost: number;
  readonly timedOut: number;
} = Object.freeze({
  /** The key is not there, or a condition did not hold. Nothing was changed. */
  notThere: 3,
  /** The answer was lost: it may have been done or not. */
  unsure: 4,
  /** A lock or a term was lost and the command was killed: EX_TEMPFAIL of sysexits.h. */
  lost: 75,
  /** It did not come to the command's turn in time: as timeout(1) has it. */
  timedOut: 124,
});
