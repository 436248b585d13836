import { errorText } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import type { Connection } from "./connection.ts";
import { etcdFaultsOf } from "./known-faults.ts";
import { memberListResponse, statusResponse } from "./maintenance-messages.ts";
import { methods } from "./messages.ts";
import { decode } from "./protobuf.ts";
import { unaryCall } from "./unary-call.ts";

/** What the servers say of themselves; nothing waits for it. */
export interface ServerFacts {
  /** How many servers keep the store; undefined until one has said so. */
  readonly members: number | undefined;
  /** Asks, and warns once of each version that has known faults. Never throws. */
  learn(peer: Connection, metadata: Readonly<Record<string, string>>): void;
}

const nothing = new Uint8Array(0);

export function serverFacts(log: Log): ServerFacts {
  const versions = new Set<string>();
  let members: number | undefined;

  const heard = (endpoint: string, version: string): void => {
    if (versions.has(version)) return;
    versions.add(version);
    const faults = etcdFaultsOf(version);
    if (faults.length === 0) return;
    const list = faults.map(({ issue, what, here }) => `${what} (${issue}); ${here}`);
    log.warn("etcd of this version has known faults: bring it up to date", {
      ...{ endpoint, version, faults: list },
    });
  };
  return {
    get members() {
      return members;
    },
    learn(peer, metadata) {
      const ask = (path: string) => unaryCall(peer, path, metadata, nothing);
      const learnt = Promise.all([
        ask(methods.status).then((answer) => {
          heard(peer.endpoint.origin, decode(statusResponse, answer).version);
        }),
        ask(methods.memberList).then((answer) => {
          members = decode(memberListResponse, answer).members.length;
        }),
      ]);
      // Some roles may not ask; an embedded node may not know.
      learnt.catch((error: unknown) => {
        log.debug("a server did not say what it is", { error: errorText(error) });
      });
    },
  };
}
