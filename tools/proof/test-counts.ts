export interface SkippedTest {
  readonly name: string;
  /** In words; empty when none was given, which is a failure. */
  readonly reason: string;
}

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly SkippedTest[];
}

/** One thing that is either so or not. */
export function oneCheck(holds: boolean): TestCounts {
  return { passed: holds ? 1 : 0, failed: holds ? 0 : 1, skipped: [] };
}

export function addCounts(all: readonly TestCounts[]): TestCounts {
  return {
    passed: all.reduce((sum, each) => sum + each.passed, 0),
    failed: all.reduce((sum, each) => sum + each.failed, 0),
    skipped: all.flatMap((each) => each.skipped),
  };
}

/** A fact of the machine, a case that does not fit its subject, a fault that its servers have. */
const standing = /^(not here: |needs |known fault )/;

/**
 * Skips that may not stand: those without a reason, and with `requireEngines` every one but those
 * whose reason begins with "not here: ", "needs " or "known fault ".
 */
export function refusedSkips(counts: TestCounts, requireEngines: boolean): readonly SkippedTest[] {
  return counts.skipped.filter(
    ({ reason }) => reason === "" || (requireEngines && !standing.test(reason)),
  );
}
