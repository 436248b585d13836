import type { Runtime } from "../../runtime/runtime.ts";
import { type Connection, openConnection } from "./connection.ts";
import type { EtcdEndpoint } from "./endpoints.ts";

/** Which of the servers is talked to: one while it is well, then the next. */
export interface Peers {
  /** A usable connection. @throws RpcError (unavailable) when none of the servers is there */
  connected(): Promise<Connection>;
  /** A call was not answered in time: finds out whether the connection still lives. */
  probe(): void;
  close(): void;
}

export function createPeers(endpoints: readonly EtcdEndpoint[], runtime: Runtime): Peers {
  const closing = new AbortController();
  let connection: Connection | undefined;
  let connecting: Promise<Connection> | undefined;
  // Spreads the clients of a fleet over the servers.
  let turn = runtime.random.below(endpoints.length);

  const connectNext = async (): Promise<Connection> => {
    let failure: unknown;
    for (let tried = 0; tried < endpoints.length; tried++) {
      const endpoint = endpoints[turn++ % endpoints.length] as EtcdEndpoint;
      try {
        connection = await openConnection(endpoint, runtime, closing.signal);
        if (closing.signal.aborted) connection.close();
        return connection;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  };
  return {
    connected() {
      if (connection?.usable) return Promise.resolve(connection);
      connecting ??= connectNext().finally(() => {
        connecting = undefined;
      });
      return connecting;
    },
    probe: () => connection?.probe(),
    close() {
      closing.abort();
      connection?.close();
    },
  };
}
