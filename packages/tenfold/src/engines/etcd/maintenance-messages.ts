import { responseHeader } from "./messages.ts";
import {
  bool,
  bytes,
  int32,
  int64,
  message,
  repeatedMessage,
  repeatedString,
  string,
  uint64,
} from "./protobuf.ts";

/** What operators ask of a server: compaction, Cluster and Maintenance; numbers as in etcd 3.4. */
export const compactionRequest = { revision: int64(1), physical: bool(2) } as const;
export const compactionResponse = { header: message(1, responseHeader) } as const;

const member = {
  id: uint64(1),
  name: string(2),
  peerUrls: repeatedString(3),
  clientUrls: repeatedString(4),
  isLearner: bool(5),
} as const;

export const memberListResponse = {
  header: message(1, responseHeader),
  members: repeatedMessage(2, member),
} as const;

export const statusResponse = {
  header: message(1, responseHeader),
  version: string(2),
  dbSize: int64(3),
  leader: uint64(4),
  raftIndex: uint64(5),
  raftTerm: uint64(6),
  raftAppliedIndex: uint64(7),
  errors: repeatedString(8),
  dbSizeInUse: int64(9),
} as const;

export const alarmAction = { get: 0, activate: 1, deactivate: 2 } as const;
export const alarmType = { none: 0, noSpace: 1 } as const;
export const alarmRequest = { action: int32(1), memberId: uint64(2), alarm: int32(3) } as const;
export const alarmResponse = {
  header: message(1, responseHeader),
  alarms: repeatedMessage(2, { memberId: uint64(1), alarm: int32(2) } as const),
} as const;

export const hashResponse = { header: message(1, responseHeader), hash: int64(2) } as const;

export const hashKvRequest = { revision: int64(1) } as const;
export const hashKvResponse = {
  header: message(1, responseHeader),
  /** 32 bits, unsigned. */
  hash: int64(2),
  compactRevision: int64(3),
} as const;

export const defragmentResponse = { header: message(1, responseHeader) } as const;

/** Part of a snapshot; the last part is the SHA-256 of all before it, as etcd sends it. */
export const snapshotResponse = {
  header: message(1, responseHeader),
  remainingBytes: uint64(2),
  blob: bytes(3),
} as const;
