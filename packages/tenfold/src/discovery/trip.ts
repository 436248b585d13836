import type { Picked } from "../balancing/balancer.ts";
import type { AttemptFailure } from "../resilience/retry.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Route } from "./exchange.ts";

/** What a call is doing at an endpoint. */
export interface UnderWay {
  /** What it ended with, if it ended without an answer. */
  readonly failure: AttemptFailure | undefined;
  /** It was left for another endpoint: a slow one that was asked, and is slow still. */
  readonly left: boolean;
  /** Gives it up wherever it is. */
  giveUp(cause: Error, outcome: "failure" | "cancelled"): void;
  /** Its answer will not be used. */
  discard(): void;
}

export interface TripOptions {
  /** What waiting for an endpoint keeps in memory; default 0. */
  readonly bytes?: number;
  readonly canSend?: (() => boolean) | undefined;
  readonly key?: string | undefined;
}

/** One call over all its attempts: where it has been and where it is. */
export class Trip {
  /** Repeating it does no harm. */
  readonly repeatable: boolean;
  /** May the request still be sent as it is? False once a body that streams was begun. */
  readonly canSend: () => boolean;
  /** What waiting for an endpoint keeps in memory. */
  readonly bytes: number;
  /** What the call is about, for policies with affinity. */
  readonly key: string | undefined;
  /** Attempts that reached a server. */
  sent = 0;
  /** Endpoints that had their chance since it last waited. */
  tried: Set<string> | undefined;
  picked: Picked<Endpoint> | undefined;
  /** After so long without an answer it goes elsewhere. */
  patienceMs = Number.POSITIVE_INFINITY;
  route: Route | undefined;
  underWay: UnderWay | undefined;
  /** How the last attempt ended, if not well. */
  last: AttemptFailure | undefined;
  /** Kept connections that had been closed: met once, it is nobody's fault. */
  closedIdle = 0;
  waits = 0;
  /** When it first had to wait for an endpoint. */
  holdSince: number | undefined;
  stopHolding: (() => void) | undefined;

  constructor(repeatable: boolean, { bytes = 0, canSend, key }: TripOptions = {}) {
    this.repeatable = repeatable;
    this.bytes = bytes;
    this.canSend = canSend ?? always;
    this.key = key;
  }

  wentTo(id: string): void {
    this.tried ??= new Set();
    this.tried.add(id);
  }

  /** The call is over. */
  end(): void {
    this.stopHolding?.();
    this.stopHolding = undefined;
  }
}

const always = (): boolean => true;
