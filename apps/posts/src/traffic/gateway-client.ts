import { Agent, type IncomingMessage, request } from "node:http";

import { type Clock, errorText } from "tenfold/runtime";

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** How often the connection to the gateway itself failed before this answer. */
  readonly reconnects: number;
  readonly tookMs: number;
}

export interface Call {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  /** Makes a write safe to send again when the gateway itself goes away. */
  readonly idempotencyKey?: string;
}

/**
 * A client as a browser or an app would be: it keeps connections alive, gives up after a while, and
 * when the gateway cuts it off or refuses it, it asks again, since nobody in between can. Several
 * gateways are asked in turn, and the next one when one does not answer.
 */
export interface GatewayClient {
  /** Status 0 when no answer came within the time limit; the text then says why. */
  call(call: Call): Promise<Answer>;
  close(): void;
}

const timeLimitMs = 15_000;
const reconnectEveryMs = 50;
/** Of one try, when there is another gateway to ask. */
const tryLimitMs = 5_000;

export function createGatewayClient(
  gateway: string | readonly string[],
  clock: Clock,
): GatewayClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const bases = [gateway].flat().map((each) => new URL(each));
  let turn = 0;
  return {
    async call(call) {
      const began = clock.now();
      const first = turn++;
      let reconnects = 0;
      for (;;) {
        const left = timeLimitMs - (clock.now() - began);
        const limitMs = bases.length > 1 ? Math.min(left, tryLimitMs) : left;
        const base = bases[(first + reconnects) % bases.length] as URL;
        try {
          const { status, text } = await attempt(base, agent, call, limitMs);
          return { status, text, reconnects, tookMs: clock.now() - began };
        } catch (error) {
          if (clock.now() - began + reconnectEveryMs > timeLimitMs) {
            const tookMs = clock.now() - began;
            return { status: 0, text: errorText(error), reconnects, tookMs };
          }
          reconnects += 1;
          await clock.sleep(reconnectEveryMs);
        }
      }
    },
    close: () => agent.destroy(),
  };
}

function attempt(
  base: URL,
  agent: Agent,
  { method, path, body, idempotencyKey }: Call,
  timeoutMs: number,
): Promise<{ status: number; text: string }> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...(payload === undefined ? {} : { "content-type": "application/json" }),
    ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
  };
  return new Promise((resolve, reject) => {
    const { hostname: host, port } = base;
    const sent = request({ host, port, method, path, headers, agent }, (response) => {
      readText(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, text }),
        reject,
      );
    });
    sent.setTimeout(Math.max(timeoutMs, 1), () => sent.destroy(new Error("no answer in time")));
    sent.on("error", reject);
    sent.end(payload);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response) text += chunk;
  return text;
}
