import { TenfoldError } from "../../runtime/errors.ts";

export interface EtcdEndpoint {
  /** `http://127.0.0.1:2379` */
  readonly origin: string;
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

const etcdPort = 2379;

/**
 * Servers from URLs: `http://h1:p1,h2:p2` names one or several, `etcd:` is the same as `http:`,
 * `https:` is with TLS; no port means 2379.
 * @throws TENFOLD_COORDINATION_ENDPOINT_INVALID
 */
export function parseEtcdEndpoints(urls: string | readonly string[]): EtcdEndpoint[] {
  const list = typeof urls === "string" ? [urls] : urls;
  if (list.length === 0) throw invalid("no endpoint");
  return list.flatMap((url) => {
    const [, scheme = "", hosts = ""] = /^(etcd|https?):\/\/(.*?)\/?$/.exec(url) ?? [];
    if (hosts === "") throw invalid(url);
    const base = scheme === "etcd" ? "http" : scheme;
    return hosts.split(",").map((host) => parseOne(`${base}://${host}`));
  });
}

function parseOne(url: string): EtcdEndpoint {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.hostname === "") throw invalid(url);
  const secure = parsed.protocol === "https:";
  // Credentials have options of their own: in a URL they end up in logs.
  if (parsed.username !== "" || parsed.pathname !== "/" || parsed.search !== "") throw invalid(url);
  const port = portOf(url, parsed);
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  return { origin: `${parsed.protocol}//${parsed.hostname}:${port}`, host, port, secure };
}

/** `URL` drops a port that is the scheme's default, so 80 and 443 are looked for in the text. */
function portOf(url: string, parsed: URL): number {
  if (parsed.port !== "") return Number(parsed.port);
  const written = /:(80|443)\/?$/.exec(url)?.[1];
  return written === undefined ? etcdPort : Number(written);
}

function invalid(came: string): TenfoldError {
  const shown = came.replace(/\/\/[^@]*@/, "//[redacted]@").slice(0, 200);
  return new TenfoldError(
    "TENFOLD_COORDINATION_ENDPOINT_INVALID",
    "Endpoints look like http://127.0.0.1:2379, etcd://host1:2379,host2:2379 or " +
      `https://host1:2379,host2:2379; got ${shown === "" ? "an empty text" : shown}.`,
  );
}
