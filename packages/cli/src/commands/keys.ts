import type { Condition, Coordinator, Entry, TransactionResult } from "tenfold/coordination";
import { TenfoldError } from "tenfold/runtime";

import {
  type CoordinatorOptions,
  untilInterrupted,
  useCoordinator,
} from "../coordinator-access.ts";
import { exitCodes } from "../exit-codes.ts";
import { print } from "../print.ts";

export interface GetOptions extends CoordinatorOptions {
  readonly prefix?: boolean;
}

export interface WriteOptions extends CoordinatorOptions {
  readonly ifRevision?: string;
  readonly ifAbsent?: boolean;
  readonly force?: boolean;
}

/** What a fleet keeps; a hand in there can take a service off the air. */
const ownKeys = "/tenfold/";

/** `tenfold get` */
export async function get(key: string, options: GetOptions): Promise<void> {
  await useCoordinator(options, async ({ coordinator }) => {
    if (options.prefix) {
      const { entries, revision } = await coordinator.list(key);
      const text = () => entries.map(({ key: each, value }) => `${each}\n${value}`).join("\n");
      if (options.json || entries.length > 0) {
        print(options, { revision, entries: entries.map(shown) }, text);
      }
      return;
    }
    const entry = await coordinator.get(key);
    if (entry === undefined) process.exitCode = exitCodes.notThere;
    if (options.json || entry !== undefined) {
      print(options, entry === undefined ? null : shown(entry), () => entry?.value ?? "");
    }
  });
}

/** `tenfold put` */
export async function put(key: string, value: string, options: WriteOptions): Promise<void> {
  refuseOwnKey(key, options);
  if (options.ifAbsent && options.ifRevision !== undefined) {
    throw new TenfoldError(
      "TENFOLD_OPTION_INVALID",
      "Give --if-absent or --if-revision, not both.",
    );
  }
  const when: Condition[] = options.ifAbsent ? [{ key, is: "absent" }] : revisionOf(key, options);
  await useCoordinator(options, async ({ coordinator }) => {
    const change = [{ put: key, value }];
    const result = await coordinator.transact({ when, change, otherwiseRead: [key] });
    told(options, key, "written", result);
  });
}

/** `tenfold delete` */
export async function remove(key: string, options: WriteOptions): Promise<void> {
  refuseOwnKey(key, options);
  const given = revisionOf(key, options);
  const when: Condition[] = given.length > 0 ? given : [{ key, is: "present" }];
  await useCoordinator(options, async ({ coordinator }) => {
    const change = [{ delete: key }];
    const result = await coordinator.transact({ when, change, otherwiseRead: [key] });
    told(options, key, "removed", result);
  });
}

/** `tenfold watch` */
export async function watch(prefix: string, options: CoordinatorOptions): Promise<void> {
  await useCoordinator(options, async ({ coordinator }) => {
    await printChanges(coordinator, prefix, options);
  });
}

async function printChanges(
  coordinator: Coordinator,
  prefix: string,
  options: CoordinatorOptions,
): Promise<void> {
  for await (const batch of coordinator.watch(prefix, { signal: untilInterrupted() })) {
    for (const change of batch.changes) {
      if (change.kind === "delete") {
        const { key } = change;
        print(options, { kind: "delete", key, revision: batch.revision }, () => `- ${key}`);
      } else {
        const { key, value } = change.entry;
        print(options, { kind: "put", ...shown(change.entry) }, () => `+ ${key} ${value}`);
      }
    }
  }
}

function shown({ key, value, revision, createRevision, sessionId }: Entry): object {
  return { key, value, revision, createRevision, sessionId: sessionId ?? null };
}

function told(
  options: CoordinatorOptions,
  key: string,
  done: string,
  result: TransactionResult,
): void {
  switch (result.outcome) {
    case "applied":
      print(options, { outcome: "applied", key, revision: result.revision }, () => {
        return `${key} ${done} at revision ${result.revision}.`;
      });
      return;
    case "refused": {
      process.exitCode = exitCodes.notThere;
      const [found] = result.reads;
      const entry = found === undefined ? null : shown(found);
      print(options, { outcome: "refused", key, found: entry }, () => {
        if (found === undefined) return `Nothing ${done}: ${key} is not there.`;
        return `Nothing ${done}: ${key} stands at revision ${found.revision}.`;
      });
      return;
    }
    case "indeterminate":
      process.exitCode = exitCodes.unsure;
      print(options, { outcome: "indeterminate", key }, () => {
        return `The answer was lost: ${key} may be ${done} or not. Read it to find out.`;
      });
  }
}

function revisionOf(key: string, { ifRevision }: WriteOptions): Condition[] {
  if (ifRevision === undefined) return [];
  if (/^\d{1,19}$/.test(ifRevision)) return [{ key, revision: BigInt(ifRevision) }];
  throw new TenfoldError("TENFOLD_OPTION_INVALID", "--if-revision must be a revision's number.");
}

function refuseOwnKey(key: string, { force }: WriteOptions): void {
  if (force || !key.startsWith(ownKeys)) return;
  throw new TenfoldError(
    "TENFOLD_OPTION_INVALID",
    `${key} belongs to a fleet, which writes it itself. If you know better, say --force.`,
  );
}
