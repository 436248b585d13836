import { connect as connectSocket, type Socket } from "node:net";

import type { Clock } from "../runtime/clock.ts";
import { TenfoldError } from "../runtime/errors.ts";
import type { Random } from "../runtime/random.ts";
import {
  type AgentOptions,
  builtInAgent,
  builtInDispatcher,
  type Connect,
  type Dispatcher,
  type OwnedDispatcher,
} from "./dispatcher.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Route } from "./exchange.ts";

export interface ConnectionLimits {
  /** Connections to one endpoint: 1 … 10,000. */
  readonly connectionsMax: number;
  /** 1 … 60,000. */
  readonly connectTimeoutMs: number;
  /**
   * Connections to an endpoint are made anew after about this long, so that callers spread over
   * what has come behind an address since: 1,000 … 86,400,000.
   */
  readonly connectionAgeMs: number;
}

/** The connections of one client, an own set to each endpoint. */
export interface EndpointConnections {
  route(endpoint: Endpoint, now: number): Route;
  /** The endpoint left the list: finishes what is under way there, and closes the rest at once. */
  gone(endpoint: Endpoint): void;
  /** Cuts everything. */
  close(): void;
}

/** Shorter than Node's servers keep an idle connection (5 s), so that the race stays rare. */
const idleMs = 4_000;
/** … unless they say how long they keep it. */
const idleMsMax = 30_000;
/** Above every limit of a call: the calls have timers of their own. */
const answerMs = 1_200_000;

/** A connection is there. What it returns is why it is not wanted any more. */
type Connected = (socket: Socket) => Error | null;

class OwnRoute implements Route {
  readonly origin: string;
  readonly dispatcher: OwnedDispatcher;
  readonly takesOlderHandlers: boolean;
  until: number;
  connects = 0;
  readonly #sockets = new Set<Socket>();
  #cause: Error | null = null;
  /** Connections whose answer ended in this turn: undici gives them out in the next. */
  #freeSoon = 0;
  #willTurn = false;

  constructor(
    origin: string,
    until: number,
    takesOlderHandlers: boolean,
    make: (connected: Connected) => OwnedDispatcher,
  ) {
    this.origin = origin;
    this.until = until;
    this.takesOlderHandlers = takesOlderHandlers;
    this.dispatcher = make((socket) => {
      this.connects++;
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      return this.#cause;
    });
  }

  // A request that follows at once on an answer would open another connection, since undici gives
  // one out again no sooner than in the next turn of the loop.
  whenFree(send: () => void): void {
    if (this.#freeSoon === 0) {
      send();
      return;
    }
    this.#freeSoon--;
    setImmediate(send);
  }

  ended(): void {
    this.#freeSoon++;
    if (this.#willTurn) return;
    this.#willTurn = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#freeSoon = 0;
    this.#willTurn = false;
  };

  /** Requests of this turn go out before. */
  close(over: () => void): void {
    setImmediate(() => void this.dispatcher.close().then(over, over));
  }

  cut(cause: Error): void {
    this.#cause = cause;
    void this.dispatcher.destroy(cause).catch(() => {});
    // An agent that was closed before knows its connections no more.
    for (const socket of this.#sockets) socket.destroy(cause);
  }
}

/** Over the agent that is built into Node; or over the process's own dispatcher, if it has one. */
export function endpointConnections(
  limits: ConnectionLimits,
  { clock, random }: { readonly clock: Clock; readonly random: Pick<Random, "next"> },
): EndpointConnections {
  const builtIn = builtInAgent();
  if (builtIn === undefined) return sharedConnections(builtInDispatcher() as unknown as Dispatcher);
  const { Agent, takesOlderHandlers } = builtIn;
  const routes = new Map<string, OwnRoute>();
  /** The same by the entry of the list, which is what a pick gives. */
  const byEntry = new WeakMap<Endpoint, OwnRoute>();
  /** Their last calls are under way. */
  const retired = new Set<OwnRoute>();
  const make = (connected: Connected): OwnedDispatcher => {
    const options: AgentOptions = {
      connections: limits.connectionsMax,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMsMax,
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
      connect: connector(limits.connectTimeoutMs, clock, connected),
    };
    return new Agent(options);
  };
  const retire = (route: OwnRoute): void => {
    route.until = Number.NEGATIVE_INFINITY;
    retired.add(route);
    route.close(() => retired.delete(route));
  };
  const renewed = (endpoint: Endpoint, now: number): OwnRoute => {
    const origin = originOf(endpoint);
    let route = routes.get(origin);
    if (route === undefined || now >= route.until) {
      if (route !== undefined) retire(route);
      // Earlier by up to a quarter: callers that began together must not reconnect together.
      const ageMs = limits.connectionAgeMs * (1 - random.next() / 4);
      route = new OwnRoute(origin, now + ageMs, takesOlderHandlers, make);
      routes.set(origin, route);
    }
    byEntry.set(endpoint, route);
    return route;
  };

  return {
    route(endpoint, now) {
      const known = byEntry.get(endpoint);
      return known !== undefined && now < known.until ? known : renewed(endpoint, now);
    },
    gone(endpoint) {
      const origin = originOf(endpoint);
      const route = routes.get(origin);
      if (route === undefined) return;
      routes.delete(origin);
      retire(route);
    },
    close() {
      const reason = new TenfoldError("TENFOLD_DISCOVERY_CLOSED", "The client was closed.");
      for (const route of [...routes.values(), ...retired]) route.cut(reason);
      routes.clear();
      retired.clear();
    },
  };
}

function sharedConnections(dispatcher: Dispatcher): EndpointConnections {
  return {
    route: (endpoint) => sharedRoute(endpoint, dispatcher),
    gone() {},
    close() {},
  };
}

/** Over connections of which nothing is known. */
export function sharedRoute(endpoint: Endpoint, dispatcher: Dispatcher): Route {
  return {
    origin: originOf(endpoint),
    dispatcher,
    takesOlderHandlers: false,
    // Equals nothing: no request went over a connection that was there before.
    connects: Number.NaN,
    whenFree: (send) => send(),
    ended() {},
  };
}

function originOf({ address, port }: Endpoint): string {
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function connector(
  timeoutMs: number,
  clock: Pick<Clock, "setTimer">,
  connected: Connected,
): Connect {
  return ({ hostname, port }, callback) => {
    const socket: Socket = connectSocket({ host: hostname, port: Number(port), noDelay: true });
    const settle = (error: Error | null): void => {
      timer.cancel();
      socket.off("connect", onConnect).off("error", settle);
      if (error !== null) socket.on("error", () => {}).destroy();
      callback(error, error === null ? socket : null);
    };
    const onConnect = (): void => settle(connected(socket));
    const timer = clock.setTimer(timeoutMs, () =>
      settle(new Error(`no connection within ${timeoutMs} ms`)),
    );
    socket.on("connect", onConnect).on("error", settle);
    return socket;
  };
}
