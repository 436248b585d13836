import {
  alarmAction,
  alarmRequest,
  alarmResponse,
  compactionRequest,
  compactionResponse,
  defragmentResponse,
  hashKvRequest,
  hashKvResponse,
  hashResponse,
  memberListResponse,
  snapshotResponse,
  statusResponse,
} from "../etcd/maintenance-messages.ts";
import { methods } from "../etcd/messages.ts";
import { encode } from "../etcd/protobuf.ts";
import { refusal } from "./grpc-error.ts";
import type { ListHandler, UnaryHandler } from "./grpc-server.ts";
import type { Journal } from "./journal.ts";
import type { JournalState } from "./journal-state.ts";
import { revisionOf } from "./range.ts";
import { call, type ServiceParts } from "./services.ts";
import { encodeSnapshot, snapshotPieces } from "./snapshot.ts";
import { storeHash } from "./store-hash.ts";
import type { Written } from "./write-queue.ts";

export interface OperatorParts extends ServiceParts {
  readonly journal: Pick<Journal, "bytes" | "rewrite">;
  /** All there is; only called at rest. */
  readonly capture: () => JournalState;
  readonly name: string;
  readonly clientUrl: () => string;
}

/** The level of etcd's API that is spoken here. */
const protocolVersion = "3.4.45";
export const memberId = 1n;

/** Compact, Cluster and Maintenance: what operators and `etcdctl` ask for. */
export function operatorCalls(parts: OperatorParts): Record<string, UnaryHandler> {
  const { writes, header } = parts;
  const now = <Result>(result: Result): Promise<Written<Result>> =>
    Promise.resolve({ result, revision: writes.durableRevision });
  return {
    [methods.compact]: call(compactionRequest, compactionResponse, header, ({ revision }) =>
      writes.run((write) => {
        write.compact(revision);
        return {};
      }),
    ),
    [methods.memberList]: call({}, memberListResponse, header, () => {
      const clientUrls = [parts.clientUrl()];
      return now({ members: [{ id: memberId, name: parts.name, clientUrls }] });
    }),
    [methods.status]: call({}, statusResponse, header, () => now(status(parts))),
    // There is none: a full disk refuses writes for as long as it is full, and no longer.
    [methods.alarm]: call(alarmRequest, alarmResponse, header, ({ action }) => {
      if (action === alarmAction.activate) throw refusal("alarmsAreOurs");
      return now({ alarms: [] });
    }),
    ...hashCalls(parts),
    [methods.defragment]: call({}, defragmentResponse, header, async () => {
      await writes.atRest(() => parts.journal.rewrite(parts.capture()));
      return await now({});
    }),
  };
}

function hashCalls({ store, history, writes, header }: OperatorParts) {
  const hashed = async (asked: bigint) => {
    const current = writes.durableRevision;
    const { compacted } = history;
    if (asked > 0n && asked <= compacted) throw refusal("compacted");
    const revision = revisionOf({ revision: asked }, current, compacted);
    const hash = BigInt(await storeHash(store, history, revision));
    return { result: { hash, compactRevision: compacted }, revision: current };
  };
  return {
    [methods.hash]: call({}, hashResponse, header, () => hashed(0n)),
    [methods.hashKv]: call(hashKvRequest, hashKvResponse, header, ({ revision }) =>
      hashed(revision),
    ),
  };
}

function status({ writes, journal, header }: OperatorParts) {
  const revision = writes.durableRevision;
  const { raftTerm } = header(revision);
  const size = BigInt(journal.bytes);
  return {
    ...{ version: protocolVersion, dbSize: size, dbSizeInUse: size, leader: memberId, raftTerm },
    ...{ raftIndex: revision, raftAppliedIndex: revision },
  };
}

/** Maintenance's Snapshot: the whole state as a file that `tenfold coordinator restore` takes. */
export function snapshotCall({ writes, capture }: OperatorParts): ListHandler {
  return async function* answers() {
    const file = await encodeSnapshot(await writes.atRest(capture));
    for (const piece of snapshotPieces(file)) yield encode(snapshotResponse, piece);
  };
}
