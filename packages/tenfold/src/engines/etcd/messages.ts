import {
  bool,
  bytes,
  type Decoded,
  type Encodable,
  int32,
  int64,
  message,
  repeatedBytes,
  repeatedInt32,
  repeatedMessage,
  string,
  uint64,
} from "./protobuf.ts";

/**
 * The messages of etcd's v3 API that the port needs, as tables: field names in our case, numbers
 * as in etcd's api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto and api/authpb/auth.proto (3.4).
 */
export const responseHeader = {
  clusterId: uint64(1),
  memberId: uint64(2),
  revision: int64(3),
  raftTerm: uint64(4),
} as const;

export type ResponseHeader = Decoded<typeof responseHeader>;

export const keyValue = {
  key: bytes(1),
  createRevision: int64(2),
  modRevision: int64(3),
  version: int64(4),
  value: bytes(5),
  lease: int64(6),
} as const;
export type KeyValue = Decoded<typeof keyValue>;

export const sortOrder = { none: 0, ascend: 1, descend: 2 } as const;
export const sortTarget = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const;

export const rangeRequest = {
  key: bytes(1),
  rangeEnd: bytes(2),
  limit: int64(3),
  revision: int64(4),
  sortOrder: int32(5),
  sortTarget: int32(6),
  serializable: bool(7),
  keysOnly: bool(8),
  countOnly: bool(9),
  minModRevision: int64(10),
  maxModRevision: int64(11),
  minCreateRevision: int64(12),
  maxCreateRevision: int64(13),
} as const;
export type RangeRequest = Decoded<typeof rangeRequest>;

export const rangeResponse = {
  header: message(1, responseHeader),
  kvs: repeatedMessage(2, keyValue),
  more: bool(3),
  count: int64(4),
} as const;

export type RangeResponse = Decoded<typeof rangeResponse>;

export const putRequest = {
  key: bytes(1),
  value: bytes(2),
  lease: int64(3),
  prevKv: bool(4),
  ignoreValue: bool(5),
  ignoreLease: bool(6),
} as const;
export type PutRequest = Decoded<typeof putRequest>;

export const putResponse = {
  header: message(1, responseHeader),
  prevKv: message(2, keyValue),
} as const;

export const deleteRangeRequest = { key: bytes(1), rangeEnd: bytes(2), prevKv: bool(3) } as const;
export type DeleteRangeRequest = Decoded<typeof deleteRangeRequest>;

export const deleteRangeResponse = {
  header: message(1, responseHeader),
  deleted: int64(2),
  prevKvs: repeatedMessage(3, keyValue),
} as const;

export const compareResult = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const;
export const compareTarget = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;

export const compare = {
  result: int32(1),
  target: int32(2),
  key: bytes(3),
  version: int64(4),
  createRevision: int64(5),
  modRevision: int64(6),
  value: bytes(7),
  lease: int64(8),
  rangeEnd: bytes(64),
} as const;
export type Compare = Decoded<typeof compare>;

export const requestOp = {
  range: message(1, rangeRequest),
  put: message(2, putRequest),
  deleteRange: message(3, deleteRangeRequest),
  /** A `txnRequest` as bytes, none or one: a table cannot hold itself. */
  txn: repeatedBytes(4),
} as const;
export type RequestOp = Decoded<typeof requestOp>;

export const responseOp = {
  range: message(1, rangeResponse),
  put: message(2, putResponse),
  deleteRange: message(3, deleteRangeResponse),
  /** A `txnResponse` as bytes, none or one. */
  txn: repeatedBytes(4),
} as const;
export type ResponseOp = Encodable<typeof responseOp>;

export const txnRequest = {
  compare: repeatedMessage(1, compare),
  success: repeatedMessage(2, requestOp),
  failure: repeatedMessage(3, requestOp),
} as const;
export type TxnRequest = Decoded<typeof txnRequest>;

export const txnResponse = {
  header: message(1, responseHeader),
  succeeded: bool(2),
  responses: repeatedMessage(3, responseOp),
} as const;

export const eventType = { put: 0, delete: 1 } as const;

export const event = {
  type: int32(1),
  kv: message(2, keyValue),
  prevKv: message(3, keyValue),
} as const;
export type Event = Decoded<typeof event>;

export const watchFilter = { noPut: 0, noDelete: 1 } as const;

export const watchCreateRequest = {
  key: bytes(1),
  rangeEnd: bytes(2),
  startRevision: int64(3),
  progressNotify: bool(4),
  filters: repeatedInt32(5),
  prevKv: bool(6),
  watchId: int64(7),
  fragment: bool(8),
} as const;
export type WatchCreateRequest = Decoded<typeof watchCreateRequest>;

export const watchRequest = {
  create: message(1, watchCreateRequest),
  cancel: message(2, { watchId: int64(1) } as const),
  progress: message(3, {} as const),
} as const;

export const watchResponse = {
  header: message(1, responseHeader),
  watchId: int64(2),
  created: bool(3),
  canceled: bool(4),
  compactRevision: int64(5),
  cancelReason: string(6),
  fragment: bool(7),
  events: repeatedMessage(11, event),
} as const;
export type WatchResponse = Decoded<typeof watchResponse>;

export const leaseGrantRequest = { ttl: int64(1), id: int64(2) } as const;
export const leaseGrantResponse = {
  header: message(1, responseHeader),
  id: int64(2),
  ttl: int64(3),
  error: string(4),
} as const;

export const leaseRevokeRequest = { id: int64(1) } as const;
export const leaseRevokeResponse = { header: message(1, responseHeader) } as const;

export const leaseKeepAliveRequest = { id: int64(1) } as const;
export const leaseKeepAliveResponse = {
  header: message(1, responseHeader),
  id: int64(2),
  ttl: int64(3),
} as const;

export const leaseTimeToLiveRequest = { id: int64(1), keys: bool(2) } as const;

export const leaseTimeToLiveResponse = {
  header: message(1, responseHeader),
  id: int64(2),
  ttl: int64(3),
  grantedTtl: int64(4),
  keys: repeatedBytes(5),
} as const;

export const leaseLeasesResponse = {
  header: message(1, responseHeader),
  leases: repeatedMessage(2, { id: int64(1) } as const),
} as const;

export const authenticateRequest = { name: string(1), password: string(2) } as const;
export const authenticateResponse = {
  header: message(1, responseHeader),
  token: string(2),
} as const;

export const methods = {
  range: "/etcdserverpb.KV/Range",
  put: "/etcdserverpb.KV/Put",
  deleteRange: "/etcdserverpb.KV/DeleteRange",
  txn: "/etcdserverpb.KV/Txn",
  watch: "/etcdserverpb.Watch/Watch",
  leaseGrant: "/etcdserverpb.Lease/LeaseGrant",
  leaseRevoke: "/etcdserverpb.Lease/LeaseRevoke",
  leaseKeepAlive: "/etcdserverpb.Lease/LeaseKeepAlive",
  leaseTimeToLive: "/etcdserverpb.Lease/LeaseTimeToLive",
  leaseLeases: "/etcdserverpb.Lease/LeaseLeases",
  authenticate: "/etcdserverpb.Auth/Authenticate",
  compact: "/etcdserverpb.KV/Compact",
  memberList: "/etcdserverpb.Cluster/MemberList",
  status: "/etcdserverpb.Maintenance/Status",
  alarm: "/etcdserverpb.Maintenance/Alarm",
  hash: "/etcdserverpb.Maintenance/Hash",
  hashKv: "/etcdserverpb.Maintenance/HashKV",
  defragment: "/etcdserverpb.Maintenance/Defragment",
  snapshot: "/etcdserverpb.Maintenance/Snapshot",
} as const;
