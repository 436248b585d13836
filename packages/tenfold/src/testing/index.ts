export {
  type QueueConformanceCase,
  type QueueConformanceOptions,
  queueConformance,
} from "./queue-conformance.ts";
