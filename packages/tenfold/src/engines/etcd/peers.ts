import type { Clock, Timer } from "../../runtime/clock.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { type Connection, openConnection } from "./connection.ts";
import type { EtcdEndpoint } from "./endpoints.ts";
import { RpcError } from "./rpc-error.ts";
import type { EtcdTlsOptions } from "./tls.ts";

/** Which of the servers is talked to: one while it is well, then the next. */
export interface Peers {
  /** The connection in use, if there is one. */
  readonly current: Connection | undefined;
  /** A usable connection. @throws RpcError when none of the servers is there */
  connected(): Promise<Connection>;
  /**
   * A call on it was not served in time: finds out whether it still lives, and has the next calls
   * go to another server. @returns false when there is no other
   */
  doubt(peer: Connection): boolean;
  close(): void;
}

/** A server that has not answered after this may be dead: the next is tried beside it. */
const nextAfterMs = 250;

export function createPeers(
  endpoints: readonly EtcdEndpoint[],
  tls: EtcdTlsOptions,
  runtime: Runtime,
): Peers {
  const closing = new AbortController();
  let connection: Connection | undefined;
  let connecting: Promise<Connection> | undefined;
  // Spreads the clients of a fleet over the servers.
  let turn = runtime.random.below(endpoints.length);

  const connectNext = async (): Promise<Connection> => {
    const order = [...endpoints.slice(turn), ...endpoints.slice(0, turn)];
    const open = (endpoint: EtcdEndpoint, signal: AbortSignal) =>
      openConnection(endpoint, tls, runtime, signal);
    connection = await firstConnection(order, open, runtime.clock, closing.signal);
    turn = (endpoints.indexOf(connection.endpoint) + 1) % endpoints.length;
    if (closing.signal.aborted) connection.close();
    return connection;
  };
  return {
    get current() {
      return connection?.usable ? connection : undefined;
    },
    connected() {
      if (connection?.usable) return Promise.resolve(connection);
      connecting ??= connectNext().finally(() => {
        connecting = undefined;
      });
      return connecting;
    },
    doubt(peer) {
      peer.probe();
      if (endpoints.length === 1) return false;
      peer.leave();
      return true;
    },
    close() {
      closing.abort();
      connection?.close();
    },
  };
}

/** Tries one after the other, the next also when the one before is slow; the first wins. */
function firstConnection(
  order: readonly EtcdEndpoint[],
  open: (endpoint: EtcdEndpoint, signal: AbortSignal) => Promise<Connection>,
  clock: Clock,
  closing: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const decided = new AbortController();
    const failures: unknown[] = [];
    let started = 0;
    let timer: Timer | undefined;

    const won = (connection: Connection): void => {
      if (decided.signal.aborted) connection.close();
      decided.abort();
      timer?.cancel();
      resolve(connection);
    };
    const lost = (failure: unknown): void => {
      failures.push(failure);
      if (failures.length === order.length) reject(worst(failures));
      else tryNext();
    };
    const tryNext = (): void => {
      timer?.cancel();
      const endpoint = order[started];
      if (endpoint === undefined || decided.signal.aborted) return;
      started++;
      timer = clock.setTimer(nextAfterMs, tryNext, { keepAlive: false });
      open(endpoint, AbortSignal.any([closing, decided.signal])).then(won, lost);
    };
    tryNext();
  });
}

/** A server that may come back makes the call worth repeating, whatever is wrong with others. */
function worst(failures: readonly unknown[]): unknown {
  const isDown = (failure: unknown): boolean =>
    failure instanceof RpcError && failure.fault === undefined;
  return failures.find(isDown) ?? failures[0];
}
