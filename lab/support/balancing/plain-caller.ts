import { Agent, get } from "node:http";

import type { Answer } from "./seen-calls.ts";

/** A caller that knows one address and keeps its connections, as before a proxy. */
export interface PlainCaller {
  get(path: string): Promise<Answer>;
  close(): void;
}

export function plainCaller(port: number): PlainCaller {
  const agent = new Agent({ keepAlive: true });
  return {
    get: (path) =>
      new Promise((resolve, reject) => {
        get({ host: "127.0.0.1", port, path, agent }, (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            text += chunk;
          });
          response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
          response.once("error", reject);
        }).once("error", reject);
      }),
    close: () => agent.destroy(),
  };
}
