import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http2";

import { grpcStatus } from "../etcd/grpc-frame.ts";
import { methods } from "../etcd/messages.ts";
import { GrpcError, refusal } from "./grpc-error.ts";

/** Who is let in: holders of the token, and no browser. */
export interface Admission {
  /**
   * A page can make the user's browser call an address of this machine; it then shows by its
   * Origin, or by a Host that is not ours.
   * @throws GrpcError
   */
  admit(headers: IncomingHttpHeaders, localAddress: string): void;
  /** etcd's way to a token, for clients that cannot be given one: the password is the token. */
  authenticate(password: string): string;
}

/** @param token undefined lets everyone in who reaches the port */
export function admission(token: string | undefined, host: string): Admission {
  const expected = token === undefined ? undefined : digest(token);
  const check = (given: string): void => {
    if (expected === undefined) return;
    if (!timingSafeEqual(digest(given), expected)) throw refusal("invalidAuthToken");
  };
  return {
    admit(headers, localAddress) {
      if (headers.origin !== undefined || headers["sec-fetch-site"] !== undefined) {
        throw new GrpcError(grpcStatus.permissionDenied, "requests of browsers are refused");
      }
      const asked = hostName(headers[":authority"] ?? headers.host ?? "");
      if (asked !== "localhost" && asked !== host && asked !== localAddress) {
        throw new GrpcError(grpcStatus.permissionDenied, "the host name is not one of this server");
      }
      if (headers[":method"] !== "POST" || !isGrpc(headers["content-type"])) {
        throw new GrpcError(grpcStatus.unimplemented, "expected a gRPC call");
      }
      if (headers[":path"] === methods.authenticate) return;
      check(String(headers.token ?? bearer(headers.authorization) ?? ""));
    },
    authenticate(password) {
      if (token === undefined) throw refusal("authNotEnabled");
      try {
        check(password);
      } catch {
        throw refusal("authFailed");
      }
      return token;
    },
  };
}

/** Digests have one length, so comparing them tells nothing about the token's. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
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
