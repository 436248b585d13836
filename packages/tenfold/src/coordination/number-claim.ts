import { TenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { CallOptions, Coordinator, Revision, Session } from "./coordinator.ts";

export interface NumberClaimOptions extends CallOptions {
  /** Where the claims stand, ending in "/": `fleetKeys(fleet).numbers("snowflake")`. */
  readonly prefix: string;
  /** Numbers 0 … count − 1 exist; 1 … 65,536. With 1, only one process holds it at a time. */
  readonly count: number;
  /** The claim ends with this session. */
  readonly session: Session;
  readonly runtime?: Partial<Runtime>;
}

export interface NumberClaim {
  readonly number: number;
  /** Grows with every claim of this number: a fencing token. */
  readonly token: Revision;
  readonly session: Session;
  /** Gives the number up at once. Idempotent, never throws: the session's end frees it anyway. */
  release(): Promise<void>;
}

/**
 * Claims the lowest free number by exclusive create; the holder has it while its session lives.
 *
 * @throws TENFOLD_COORDINATION_NUMBERS_TAKEN (retryable), TENFOLD_COORDINATION_SESSION_LOST, and
 *   what the coordinator throws
 */
export async function claimNumber(
  coordinator: Pick<Coordinator, "get" | "list" | "transact">,
  options: NumberClaimOptions,
): Promise<NumberClaim> {
  const { prefix, session } = options;
  const count = numberOption("count", options.count, { min: 1, max: 65_536 });
  const { random } = runtimeWith(options.runtime);
  // Tells this claim from another of the same session when the answer to the create is lost.
  const value = JSON.stringify({ claim: random.below(2 ** 32).toString(36), session: session.id });
  // Every round ends in a claim, in the error, or because another claimed all that looked free.
  for (let round = 0; round < roundsMax; round++) {
    const { entries } = await coordinator.list(prefix, options);
    const taken = new Set(entries.map((entry) => entry.key));
    const numbers = Array.from({ length: count }, (_, number) => number);
    const free = numbers.filter((number) => !taken.has(`${prefix}${number}`));
    if (free.length === 0) break;
    for (const number of free) {
      const key = `${prefix}${number}`;
      session.assertValid();
      const token = await createExclusively(coordinator, key, value, options);
      if (token !== undefined) return claimOf(coordinator, { number, token, session }, key);
    }
  }
  throw new TenfoldError(
    "TENFOLD_COORDINATION_NUMBERS_TAKEN",
    `All ${count} numbers under ${prefix} are taken: stop a holder, or allow more numbers.`,
    { retryable: true, details: { prefix, count } },
  );
}

const roundsMax = 8;

/** The revision of the created key, or undefined when another has it. */
async function createExclusively(
  coordinator: Pick<Coordinator, "get" | "transact">,
  key: string,
  value: string,
  options: NumberClaimOptions,
): Promise<Revision | undefined> {
  const result = await coordinator.transact(
    { when: [{ key, is: "absent" }], change: [{ put: key, value, session: options.session }] },
    options,
  );
  if (result.outcome === "applied") return result.revision;
  if (result.outcome === "refused") return undefined;
  const entry = await coordinator.get(key, options);
  return entry?.value === value ? entry.createRevision : undefined;
}

function claimOf(
  coordinator: Pick<Coordinator, "transact">,
  claim: Pick<NumberClaim, "number" | "token" | "session">,
  key: string,
): NumberClaim {
  let released: Promise<void> | undefined;
  return {
    ...claim,
    release() {
      // Only our own key: after a lost session it may be another's by now.
      released ??= coordinator
        .transact({ when: [{ key, revision: claim.token }], change: [{ delete: key }] })
        .then(
          () => {},
          () => {},
        );
      return released;
    },
  };
}
