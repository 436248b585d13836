/** A fault of the servers themselves, by which a case of the suite may fail. */
export interface KnownServerFault {
  /** Where it is reported: `etcd-io/etcd#15247`. */
  readonly issue: string;
  /** Only cases of this property are excused. */
  readonly property: number;
  /** Only a failure that says this is. */
  readonly saying: RegExp;
}

/**
 * A case failed as a known fault of its servers lets it fail. It is still an error: a runner that
 * does not know it reports a failure, one that does reports the issue, and neither reports success.
 */
export class KnownFailure extends Error {
  override readonly name = "KnownFailure";
  readonly issue: string;

  constructor({ issue }: KnownServerFault, cause: unknown) {
    super(`known fault ${issue}: ${String(cause)}`, { cause });
    this.issue = issue;
  }
}

/** The failure of a case as it is to be reported: itself, unless a known fault accounts for it. */
export function failureOf(
  error: unknown,
  property: number | undefined,
  faults: readonly KnownServerFault[],
): unknown {
  const fault = faults.find((one) => one.property === property && one.saying.test(String(error)));
  return fault === undefined ? error : new KnownFailure(fault, error);
}
