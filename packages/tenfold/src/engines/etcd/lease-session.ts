import { backOff } from "../../coordination/back-off.ts";
import type { Session, SessionState } from "../../coordination/coordinator.ts";
import type { SteadyTime } from "../../coordination/steady-time.ts";
import { TenfoldError } from "../../runtime/errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { Channel, StreamCall } from "./channel.ts";
import {
  leaseKeepAliveRequest,
  leaseKeepAliveResponse,
  leaseRevokeRequest,
  leaseRevokeResponse,
  methods,
} from "./messages.ts";
import { decode, encode } from "./protobuf.ts";

/**
 * Of the time to live: how often it is renewed, and after how long without an answer it is in
 * doubt.
 */
const renewEveryShare = 1 / 6;
const suspendAfterShare = 1 / 3;
/** Clocks of two machines may run 5 % apart, as the conformance suite has them; one stops first. */
const surelyLivesShare = 0.94;
const revokeTimeoutMs = 1_000;

const revoke = {
  path: methods.leaseRevoke,
  request: leaseRevokeRequest,
  response: leaseRevokeResponse,
};

export interface Lease {
  readonly id: bigint;
  /** As the server granted it. */
  readonly ttlMs: number;
  readonly time: SteadyTime;
  /** `time.now()` from before the grant was sent. */
  readonly grantedAt: number;
  /** Fires when the store that granted it was replaced. */
  readonly era: AbortSignal;
  /** What `close` does: revokes it, or lets it run out. */
  readonly atClose: "end" | "leave";
}

/**
 * A lease as a session. It is valid from when the last acknowledged renewal was *sent*: the server
 * counts from when it came in, which is later, so the holder never believes longer than the server.
 */
export function leaseSession(channel: Channel, runtime: Runtime, lease: Lease): Session {
  const { clock } = runtime;
  const { ttlMs, time, era } = lease;
  const id = lease.id.toString();
  const end = new AbortController();
  let renewedAt = lease.grantedAt;
  let over: "lost" | "closed" | undefined;

  const leftMs = (): number => renewedAt + ttlMs * surelyLivesShare - time.now();
  const finish = (how: "lost" | "closed"): void => {
    if (over !== undefined) return;
    over = how;
    expiry.cancel();
    era.removeEventListener("abort", lose);
    end.abort(sessionLost(id, how));
  };
  const lose = (): void => finish("lost");
  const watchExpiry = (): void => {
    if (leftMs() <= 0) lose();
    else expiry = setExpiry();
  };
  const setExpiry = () => clock.setTimer(Math.max(0, leftMs()), watchExpiry, { keepAlive: false });
  let expiry = setExpiry();
  const state = (): SessionState => {
    // The timer may be late; the comparison is not.
    if (over === undefined && leftMs() <= 0) lose();
    if (over !== undefined) return over;
    return time.now() - renewedAt > ttlMs * suspendAfterShare ? "suspended" : "active";
  };
  if (era.aborted) lose();
  else era.addEventListener("abort", lose, { once: true });
  void keepAlive(channel, runtime, lease, {
    signal: end.signal,
    renewed: (sentAt) => {
      renewedAt = Math.max(renewedAt, sentAt);
    },
    gone: lose,
  });
  let closed: Promise<void> | undefined;

  return {
    id,
    get state() {
      return state();
    },
    get validUntil() {
      return clock.now() + leftMs();
    },
    signal: end.signal,
    assertValid() {
      const now = state();
      if (now === "lost" || now === "closed") throw sessionLost(id, now);
    },
    close() {
      const wasOpen = over === undefined;
      finish("closed");
      if (!wasOpen || lease.atClose === "leave") return closed ?? Promise.resolve();
      closed = channel
        .unary(revoke, { id: lease.id }, { timeoutMs: revokeTimeoutMs, idempotent: true })
        // The lease then ends by itself.
        .catch(() => runtime.log.debug("revoking a lease failed", { lease: id }))
        .then(() => {});
      return closed;
    },
  };
}

interface KeepAliveEvents {
  readonly signal: AbortSignal;
  renewed(sentAt: number): void;
  gone(): void;
}

/** Renews on a stream; when that breaks, on another, at once and then with waits. */
async function keepAlive(
  channel: Channel,
  runtime: Runtime,
  lease: Lease,
  events: KeepAliveEvents,
): Promise<void> {
  const { clock, random, log } = runtime;
  const everyMs = lease.ttlMs * renewEveryShare;
  const request = encode(leaseKeepAliveRequest, { id: lease.id });
  const wait = backOff(random);
  const { signal } = events;
  await clock.sleep(everyMs, { signal }).catch(() => {});
  while (!signal.aborted) {
    /** When each unanswered renewal was sent: a stream answers in order. */
    const sent: number[] = [];
    const broken = new AbortController();
    const receiver = {
      message(bytes: Uint8Array) {
        const sentAt = sent.shift();
        const { ttl } = decode(leaseKeepAliveResponse, bytes);
        if (ttl <= 0n) events.gone();
        else if (sentAt !== undefined) events.renewed(sentAt);
        wait.reset();
      },
      end: () => broken.abort(),
    };
    let call: StreamCall | undefined;
    try {
      const until = AbortSignal.any([signal, broken.signal]);
      call = await channel.stream(methods.leaseKeepAlive, receiver, signal);
      while (!until.aborted) {
        // The answer before is late: is anyone there? Two are: is anyone at another server?
        if (sent.length > 0) call.probe();
        if (sent.length > 1 && call.doubt()) break;
        if (sent.length < unansweredMax) {
          sent.push(lease.time.now());
          call.send(request);
        }
        await clock.sleep(everyMs, { signal: until });
      }
    } catch (error) {
      if (!signal.aborted) log.debug("renewing a lease was interrupted", { error });
    } finally {
      call?.cancel();
    }
    await clock.sleep(wait.next(), { signal }).catch(() => {});
  }
}

/** More would only tell a server that is stuck the same thing again. */
const unansweredMax = 8;

function sessionLost(id: string, how: "lost" | "closed"): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATION_SESSION_LOST",
    how === "lost" ? `The session ${id} was lost.` : `The session ${id} was closed by its owner.`,
  );
}
