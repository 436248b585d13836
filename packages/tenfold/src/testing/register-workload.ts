import type { Condition, Coordinator } from "../coordination/coordinator.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import { seededRandom } from "../runtime/random.ts";
import type { RegisterAction, RegisterCall } from "./linearizability.ts";

export interface RegisterWorkload {
  /** Each makes its calls one after the other, all beside each other. */
  readonly clients: readonly Coordinator[];
  /** Without entries at the beginning. */
  readonly keys: readonly string[];
  readonly callsEach: number;
  readonly seed: string;
  readonly beforeCall?: () => void;
  readonly timeoutMs?: number;
}

/**
 * Reads, writes, deletions and compare-and-sets on a few keys, each with what its caller was told,
 * for `checkLinearizable`. Every written value is new.
 */
export async function readAndWrite(workload: RegisterWorkload): Promise<readonly RegisterCall[]> {
  const { clients, keys, callsEach, seed, beforeCall, timeoutMs = 2_000 } = workload;
  const calls: RegisterCall[] = [];
  // All callers are in this process: a count of what happens is the finest clock.
  let moment = 0;
  const now = (): number => ++moment;
  const run = async (client: Coordinator, number: number): Promise<void> => {
    const random = seededRandom(`${seed} ${number}`);
    for (let i = 0; i < callsEach; i++) {
      const key = keys[random.below(keys.length)] as string;
      beforeCall?.();
      const kind = random.below(10);
      const value = kind === 9 ? undefined : `${number}.${i}`;
      const one = { client, key, value, timeoutMs, now };
      const told = await (kind < 4 ? read(one) : kind < 7 ? write(one) : swap(one));
      calls.push(...told.map((each) => ({ ...each, key })));
    }
  };
  await Promise.all(clients.map(run));
  return calls;
}

interface One {
  readonly client: Coordinator;
  readonly key: string;
  readonly value: string | undefined;
  readonly timeoutMs: number;
  readonly now: () => number;
}

type Told = Omit<RegisterCall, "key">;

async function read({ client, key, timeoutMs, now }: One): Promise<Told[]> {
  const calledAt = now();
  const entry = await client.get(key, { timeoutMs }).catch(unanswered);
  if (entry === "unanswered") return [];
  const answeredAt = now();
  return [{ calledAt, answeredAt, action: { kind: "read", value: entry?.value } }];
}

async function write(one: One): Promise<Told[]> {
  return transact(one, [], () => ({ kind: "write", value: one.value }));
}

/** Reads, then writes under the condition that nobody else has. */
async function swap(one: One): Promise<Told[]> {
  const { client, key, value, timeoutMs, now } = one;
  const calledAt = now();
  const entry = await client.get(key, { timeoutMs }).catch(unanswered);
  if (entry === "unanswered") return [];
  const action = { kind: "read", value: entry?.value } as const;
  const seen = { calledAt, answeredAt: now(), action };
  const condition: Condition =
    entry === undefined ? { key, is: "absent" } : { key, revision: entry.revision };
  const written = await transact(one, [condition], (refused) => ({
    ...{ kind: "swap", expected: entry?.value, value, refused },
  }));
  return [seen, ...written];
}

async function transact(
  { client, key, value, timeoutMs, now }: One,
  when: readonly Condition[],
  action: (refused: boolean) => RegisterAction,
): Promise<Told[]> {
  const change = [value === undefined ? { delete: key } : { put: key, value }];
  const calledAt = now();
  const result = await client.transact({ when, change }, { timeoutMs }).catch(unanswered);
  if (result === "unanswered") return [];
  const isUnknown = result.outcome === "indeterminate";
  const answeredAt = isUnknown ? Number.POSITIVE_INFINITY : now();
  return [{ calledAt, answeredAt, action: action(result.outcome === "refused") }];
}

/** What surely had no effect; anything else that is thrown is a failure. */
function unanswered(error: unknown): "unanswered" {
  if (isTenfoldError(error, "TENFOLD_COORDINATION_UNAVAILABLE")) return "unanswered";
  throw error;
}
