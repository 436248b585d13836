export { createMemoryCoordinator, type MemoryCoordinatorOptions } from "./coordinator.ts";
export { type MemoryStore, memoryStore } from "./store.ts";
