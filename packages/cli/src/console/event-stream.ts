import type { ServerResponse } from "node:http";

export interface EventStream {
  /** Takes the response over and sends `first` as event "whole". False: there are too many. */
  add(response: ServerResponse, first: string): boolean;
  /** Sends event "change" to everyone. */
  send(data: string): void;
  readonly size: number;
  /** Ends every response. */
  close(): void;
}

export const eventStreamDefaults: {
  readonly clientsMax: number;
  readonly unsentBytesMax: number;
} = Object.freeze({
  clientsMax: 32,
  /** Who reads this far behind is dropped; its page connects again and gets the whole state. */
  unsentBytesMax: 1024 * 1024,
});

/** Server-sent events to a bounded number of clients (WHATWG HTML, section 9.2). */
export function eventStream(options: Partial<typeof eventStreamDefaults> = {}): EventStream {
  const { clientsMax, unsentBytesMax } = { ...eventStreamDefaults, ...options };
  const clients = new Set<ServerResponse>();
  return {
    add(response, first) {
      if (clients.size >= clientsMax) return false;
      clients.add(response);
      response.once("close", () => clients.delete(response));
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      response.write(`retry: 1000\n\nevent: whole\ndata: ${first}\n\n`);
      return true;
    },
    send(data) {
      for (const client of clients) {
        if (client.writableLength > unsentBytesMax) client.destroy();
        else client.write(`event: change\ndata: ${data}\n\n`);
      }
    },
    get size() {
      return clients.size;
    },
    close() {
      for (const client of clients) client.end();
    },
  };
}
