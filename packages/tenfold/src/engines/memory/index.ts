export { createMemoryCoordinator, type MemoryCoordinatorOptions } from "./coordinator.ts";
export { createMemoryQueue, type MemoryQueueOptions } from "./queue.ts";
export { type MemoryBackup, type MemoryStore, memoryStore } from "./store.ts";
