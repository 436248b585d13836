import { hash, timingSafeEqual } from "node:crypto";

import { grpcStatus } from "../etcd/grpc-frame.ts";
import { methods } from "../etcd/messages.ts";
import { GrpcError, refusal } from "./grpc-error.ts";
import type { Headers } from "./http2/hpack.ts";
import { type CoordinatorUser, matchesPassword, userTokens } from "./users.ts";

/** Who is let in: holders of the token, users, and no browser. */
export interface Admission {
  /**
   * A page can make the user's browser call an address of this machine; it then shows by its
   * Origin, or by a Host that is not ours.
   * @throws GrpcError
   */
  admit(headers: Headers, localAddress: string): void;
  /**
   * etcd's way to a token. The node's own token is its own password, for clients that cannot be
   * given one.
   * @throws GrpcError
   */
  authenticate(name: string, password: string): Promise<string>;
}

export interface AdmissionOptions {
  /** With neither token nor users everyone is let in who reaches the port. */
  readonly token: string | undefined;
  readonly users: readonly CoordinatorUser[];
  readonly host: string;
  /** A name that a certificate was shown for is ours. */
  readonly isTls: boolean;
  readonly wallNow: () => number;
}

/** Tries of a password at a time: each takes 16 MiB and a thread. */
const triesMax = 2;
const triesWaitingMax = 64;

export function admission(options: AdmissionOptions): Admission {
  const { token, users, host, isTls, wallNow } = options;
  const expected = token === undefined ? undefined : digest(token);
  const isOpen = token === undefined && users.length === 0;
  const tokens = userTokens(users, wallNow);
  const inTurn = limited(triesMax, triesWaitingMax);
  const isToken = (given: string): boolean =>
    expected !== undefined && timingSafeEqual(digest(given), expected);
  // Clients send the same authority with every call: reading it is the dearest part of a check.
  let last = { authority: "", hostName: "" };
  const isOurName = (authority: string, localAddress: string): boolean => {
    if (last.authority !== authority) last = { authority, hostName: hostName(authority) };
    const asked = isTls ? host : last.hostName;
    return asked === "localhost" || asked === host || asked === localAddress;
  };
  return {
    admit(headers, localAddress) {
      if (headers.origin !== undefined || headers["sec-fetch-site"] !== undefined) {
        throw new GrpcError(grpcStatus.permissionDenied, "requests of browsers are refused");
      }
      if (!isOurName(headers[":authority"] ?? headers.host ?? "", localAddress)) {
        throw new GrpcError(grpcStatus.permissionDenied, "the host name is not one of this server");
      }
      if (headers[":method"] !== "POST" || !isGrpc(headers["content-type"])) {
        throw new GrpcError(grpcStatus.unimplemented, "expected a gRPC call");
      }
      if (isOpen || headers[":path"] === methods.authenticate) return;
      const given = String(headers.token ?? bearer(headers.authorization) ?? "");
      const isKnown = isToken(given) || (users.length > 0 && tokens.isValid(given));
      if (!isKnown) throw refusal("invalidAuthToken");
    },
    async authenticate(name, password) {
      if (isOpen) throw refusal("authNotEnabled");
      if (token !== undefined && isToken(password)) return token;
      if (users.length === 0) throw refusal("authFailed");
      const passwordHash = users.find((user) => user.name === name)?.passwordHash;
      const isRight = await inTurn(() => matchesPassword(password, passwordHash ?? ofNobody));
      if (!isRight) throw refusal("authFailed");
      return tokens.issue(name);
    },
  };
}

const ofNobody = `scrypt$${"A".repeat(22)}$`;

/** Runs so many at a time; refuses when too many wait. */
function limited(max: number, waitingMax: number) {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (waiting.length >= waitingMax) throw refusal("tooManyRequests");
    if (running >= max) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await work();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}

/** Digests have one length, so comparing them tells nothing about the token's. */
function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}

function bearer(authorization: string | undefined): string | undefined {
  return /^Bearer (.+)$/i.exec(authorization ?? "")?.[1];
}

function isGrpc(contentType: string | undefined): boolean {
  return contentType?.startsWith("application/grpc") === true;
}

function hostName(authority: string): string {
  return URL.parse(`http://${authority}`)?.hostname.replace(/^\[|\]$/g, "") ?? "";
}
