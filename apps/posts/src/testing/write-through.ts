import { randomUUID } from "node:crypto";

import { until } from "../../../../lab/support/fleet.ts";
import type { HttpAnswer } from "./http-call.ts";

const writers = 10;
const writesBefore = 20;
const writesAfter = 30;
const patienceMs = 90_000;

export interface WriteThroughOptions {
  /**
   * Whoever gets this status writes again, with the same key. The queue has one owner, and on a
   * busy machine it may take longer to come back than a write waits for it.
   */
  readonly againAfter?: number;
}

/**
 * Writers that write one post after the other from before a fault until well after it, so that
 * writes are under way whenever it strikes; returns every answer.
 */
export async function writeThrough(
  write: (contents: string, key: string) => Promise<HttpAnswer>,
  fault: () => Promise<unknown>,
  { againAfter }: WriteThroughOptions = {},
): Promise<readonly HttpAnswer[]> {
  const answers: HttpAnswer[] = [];
  let [begun, over] = [0, false];
  const writeOne = async (): Promise<HttpAnswer> => {
    const [contents, key] = [`${begun++}`, randomUUID()];
    const end = performance.now() + patienceMs;
    for (;;) {
      const answer = await write(contents, key);
      if (answer.status !== againAfter || performance.now() > end) return answer;
    }
  };
  const writer = async (): Promise<void> => {
    while (!over) answers.push(await writeOne());
  };
  const writing = Promise.all(Array.from({ length: writers }, writer));
  try {
    await until("the first writes", patienceMs, () => answers.length >= writesBefore);
    await fault();
    const { length } = answers;
    await until("writes after it", patienceMs, () => answers.length >= length + writesAfter);
  } finally {
    over = true;
    await writing;
  }
  return answers;
}
