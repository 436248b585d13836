import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** What the gateway has to know of its clients' connections beside single requests. */
export interface ClientConnections {
  /** A request came. False when nothing on this connection is to be believed any more. */
  begin(response: ServerResponse): boolean;
  /**
   * The connection ends with the answer under way. Requests behind it may have been parsed already,
   * since clients may send several at once.
   */
  condemn(connection: Duplex): void;
  /** Has an answer on it been begun, so that no other may be written over it? */
  isAnswering(connection: Duplex): boolean;
}

export function clientConnections(): ClientConnections {
  const condemned = new WeakSet<Duplex>();
  const open = new WeakMap<Duplex, Set<ServerResponse>>();
  return {
    begin(response) {
      const connection = response.req.socket;
      if (condemned.has(connection)) return false;
      const responses = open.get(connection) ?? new Set();
      open.set(connection, responses.add(response));
      response.on("close", () => responses.delete(response));
      return true;
    },
    condemn: (connection) => void condemned.add(connection),
    isAnswering(connection) {
      return [...(open.get(connection) ?? [])].some((response) => response.headersSent);
    },
  };
}
