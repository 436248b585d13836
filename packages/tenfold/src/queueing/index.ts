export { type BackoffOptions, fullJitterMs } from "./backoff.ts";
export { type RetryOptions, retryDefaults } from "./job-verdict.ts";
export type {
  DoneMessage,
  EnqueueResult,
  Job,
  NewMessage,
  PendingMessage,
  Queue,
  QueueCallOptions,
  QueueStats,
  Settlement,
} from "./queue.ts";
export type { QueueOperation } from "./queue-core.ts";
export { type QueueLimits, queueLimits } from "./queue-limits.ts";
export {
  answerQueueCall,
  decodeQueueError,
  encodeQueueError,
  queueOperations,
} from "./queue-protocol.ts";
export {
  type RemoteCall,
  type RemoteCallOptions,
  type RemoteQueueOptions,
  remoteQueue,
  remoteQueueDefaults,
} from "./remote-queue.ts";
export { createWorker, type Worker, type WorkerOptions, workerDefaults } from "./worker.ts";
