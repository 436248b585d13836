import { invalidOption, refuseUnknownKeys } from "../../runtime/options.ts";
import { type Runtime, runtimeWith } from "../../runtime/runtime.ts";
import { type Channel, createChannel } from "./channel.ts";
import { parseEtcdEndpoints } from "./endpoints.ts";
import { type ServerFacts, serverFacts } from "./server-facts.ts";
import { type StoreCheck, storeCheck } from "./store-check.ts";
import type { EtcdTlsOptions } from "./tls.ts";

export interface EtcdOptions {
  /** `etcd://host1:2379,host2:2379` (as `http:`), `https://host1:2379,host2:2379`, or a list. */
  readonly endpoints: string | readonly string[];
  /** Sent with every call; what the embedded node wants. */
  readonly token?: string | undefined;
  /** For etcd's own authentication: a token is then asked for, and again when it expires. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** For `https:` endpoints. */
  readonly tls?: EtcdTlsOptions | undefined;
  readonly runtime?: Partial<Runtime>;
}

export interface OpenedChannel {
  readonly channel: Channel;
  readonly store: StoreCheck;
  readonly facts: ServerFacts;
  readonly runtime: Runtime;
}

/** @throws TENFOLD_COORDINATION_ENDPOINT_INVALID, TENFOLD_OPTION_UNKNOWN, TENFOLD_OPTION_INVALID */
export function openChannel(where: string, options: EtcdOptions): OpenedChannel {
  const known = ["endpoints", "token", "user", "password", "tls", "runtime"];
  refuseUnknownKeys(where, options, known);
  const { token, user, password, tls = {} } = options;
  refuseUnknownKeys(`${where} tls`, tls, ["ca", "certificate", "key", "servername"]);
  if ((user === undefined) !== (password === undefined)) {
    throw invalidOption("user and password", "given together", user ?? "a password alone");
  }
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    throw invalidOption("tls.certificate and tls.key", "given together", "one of them");
  }
  const endpoints = parseEtcdEndpoints(options.endpoints);
  const credentials = { token, user, password };
  const runtime = runtimeWith(options.runtime);
  const store = storeCheck();
  const facts = serverFacts(runtime.log);
  const channel = createChannel({ endpoints, credentials, tls, store, facts, runtime });
  return { channel, store, facts, runtime };
}
