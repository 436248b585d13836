/**
 * Runs work side by side. The first failure aborts the rest and is what is thrown, but only once
 * everything has ended: nothing goes on behind the caller's back.
 */
export async function sideBySide(
  signal: AbortSignal,
  work: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const until = AbortSignal.any([signal, failed.signal]);
  await Promise.all(
    work.map(async (run) => {
      try {
        await run(until);
      } catch (error) {
        // Only the first counts: aborted once, a signal keeps its reason.
        failed.abort(error);
      }
    }),
  );
  if (failed.signal.aborted) throw failed.signal.reason;
}
