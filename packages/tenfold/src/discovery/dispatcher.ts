import type { Socket } from "node:net";

import { TenfoldError } from "../runtime/errors.ts";

/** What is used of undici's `Dispatcher`, of any version and any copy of it. */
export interface Dispatcher {
  dispatch(options: DispatchOptions, handler: DispatchHandler): boolean;
}

export interface DispatchOptions {
  readonly origin: string;
  readonly path: string;
  readonly method: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | null;
  /** Longest wait for the next part of an answer's body, in milliseconds. */
  readonly bodyTimeout?: number;
}

/** undici's handler since version 7; `controller` is of the request. */
export interface DispatchHandler {
  onRequestStart(controller: DispatchController, context: unknown): void;
  onResponseStart(
    controller: DispatchController,
    status: number,
    headers: AnswerHeaders,
    statusText?: string,
  ): void;
  onResponseData(controller: DispatchController, chunk: Buffer): void;
  onResponseEnd(controller: DispatchController, trailers: AnswerHeaders): void;
  onResponseError(controller: DispatchController | undefined, error: Error): void;
}

export interface DispatchController {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

/** Names in small letters; a header that came more than once has a list. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

export type Connect = (
  to: { readonly hostname: string; readonly port: string },
  callback: (error: Error | null, socket: Socket | null) => void,
) => void;

export interface AgentOptions {
  /** To one origin. */
  readonly connections: number;
  readonly keepAliveTimeout: number;
  readonly keepAliveMaxTimeout: number;
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
  readonly connect: Connect;
}

/** A dispatcher that owns connections. */
export interface OwnedDispatcher extends Dispatcher {
  /** Lets what is under way finish, then closes. */
  close(): Promise<void>;
  destroy(reason: Error): Promise<void>;
}

type AgentClass = new (options: AgentOptions) => OwnedDispatcher;

export interface BuiltInAgent {
  readonly Agent: AgentClass;
  /** Handlers by the names of undici 6, which 7 takes too, and 8 does not. */
  readonly takesOlderHandlers: boolean;
}

/** Where every copy of undici keeps the dispatcher of the process. */
const globalDispatcher: symbol = Symbol.for("undici.globalDispatcher.1");
/** Where undici 8 keeps it; under the older name it then puts a wrapper of it. */
const newerDispatcher: symbol = Symbol.for("undici.globalDispatcher.2");

/** The dispatcher that the global `fetch` takes, by Node's types where they are there. */
export type FetchDispatcher = RequestInit extends { dispatcher?: infer D }
  ? NonNullable<D>
  : Dispatcher & { compose(...interceptors: readonly unknown[]): FetchDispatcher };

/**
 * The dispatcher of this process: the one built into Node, unless somebody has set another one. It
 * is the one to `compose` a `serviceInterceptor` on for the global `fetch`.
 *
 * @throws TENFOLD_INTERNAL when this version of Node keeps it nowhere that we know
 */
export function builtInDispatcher(): FetchDispatcher {
  // Node loads its undici, and with it the dispatcher, when one of its classes is asked for.
  void globalThis.Headers;
  const found = held(globalDispatcher);
  if (found !== undefined) return found;
  throw new TenfoldError(
    "TENFOLD_INTERNAL",
    `Expected the dispatcher of Node's fetch under ${String(globalDispatcher)}, and nothing is ` +
      `there in Node ${process.versions.node} with undici ${process.versions.undici}.`,
  );
}

/**
 * The class of connections that is built into Node, or undefined when the process's dispatcher is
 * something else (a proxy, a mock): then that one has to carry our requests too.
 */
export function builtInAgent(): BuiltInAgent | undefined {
  const found = builtInDispatcher();
  const isWrapper = found.constructor.name === "Dispatcher1Wrapper";
  const { constructor: kind } = (isWrapper && held(newerDispatcher)) || found;
  if (kind.name !== "Agent") return undefined;
  const takesOlderHandlers = !isWrapper && Number.parseInt(process.versions.undici ?? "8", 10) < 8;
  return { Agent: kind as unknown as AgentClass, takesOlderHandlers };
}

function held(name: symbol): FetchDispatcher | undefined {
  return (globalThis as unknown as Record<symbol, FetchDispatcher | undefined>)[name];
}
