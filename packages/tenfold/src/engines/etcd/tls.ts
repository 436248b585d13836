import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";

import type { EtcdEndpoint } from "./endpoints.ts";

/** Each is the path of a PEM file, read anew for every connection, or the PEM text itself. */
export interface EtcdTlsOptions {
  /** Whom to trust; default: whom Node trusts. */
  readonly ca?: string | undefined;
  /** The client's certificate and key, where the server asks for them: both or none. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must have; default: the endpoint's host. */
  readonly servername?: string | undefined;
}

/** Reads what has to be read; rejects with the file system's error. */
export async function tlsSettings(tls: EtcdTlsOptions, host: string): Promise<ConnectionOptions> {
  const { ca, certificate, key, servername } = tls;
  const [authorities, cert, secret] = await Promise.all([ca, certificate, key].map(pem));
  return {
    host,
    // A server name is never an address (RFC 6066); its certificate is compared with `host` then.
    servername: servername ?? (isIP(host) === 0 ? host : ""),
    ALPNProtocols: ["h2"],
    ...(authorities !== undefined && { ca: authorities }),
    ...(cert !== undefined && { cert }),
    ...(secret !== undefined && { key: secret }),
  };
}

async function pem(given: string | undefined): Promise<string | undefined> {
  if (given === undefined || given.includes("-----BEGIN ")) return given;
  return await readFile(given, "utf8");
}

export function overTls(socket: Duplex, settings: ConnectionOptions): Duplex {
  return connect({ ...settings, socket });
}

const tlsCodes = /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|EPROTO)/;

/** Did encryption or trust fail, or reading its files, rather than the link? */
export function isTlsFailure(error: unknown, { secure }: EtcdEndpoint): boolean {
  if (!secure || !(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  const isFile = syscall === "open" || syscall === "read";
  return isFile || tlsCodes.test(code ?? "") || code === "HOSTNAME_MISMATCH";
}
