import { setTimeout as pause } from "node:timers/promises";
import { createServiceClient, type Resolver } from "tenfold/discovery";

/** One answered call. */
export interface Answer {
  /** `performance.now()` when it was answered. */
  readonly at: number;
  /** What the server called itself. */
  readonly from: string;
}

export interface CallLoop {
  readonly answers: readonly Answer[];
  readonly failed: number;
  stop(): Promise<void>;
}

/** Calls a service again and again through the client that every caller has. */
export function callLoop(service: string, resolver: Resolver, everyMs: number): CallLoop {
  const client = createServiceClient(service, { resolver });
  const answers: Answer[] = [];
  let failed = 0;
  let stopped = false;
  const run = async (): Promise<void> => {
    while (!stopped) {
      try {
        const reply = await client.request({ method: "GET", path: "/" });
        answers.push({ at: performance.now(), from: reply.text() });
      } catch {
        failed++;
      }
      await pause(everyMs);
    }
  };
  const running = run();
  return {
    answers,
    get failed() {
      return failed;
    },
    async stop() {
      stopped = true;
      await running;
      await client.close();
    },
  };
}
