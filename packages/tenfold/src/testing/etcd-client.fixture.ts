import type { Coordinator } from "../coordination/coordinator.ts";
import { connectEtcd } from "../engines/etcd/client.ts";
import type { SocketAddress } from "../runtime/network.ts";
import { systemNetwork } from "../runtime/network.ts";
import { brokenOutside } from "./broken-outside.fixture.ts";
import type { ClientModule } from "./client-process.ts";

export interface EtcdClientSettings {
  readonly addresses: readonly SocketAddress[];
  readonly token?: string;
  /** The name of one of `brokenOutside`. */
  readonly broken?: string;
}

/** A client of etcd or of the embedded node, here or in another process. */
export function connect({ addresses, token, broken }: EtcdClientSettings): Coordinator {
  let connects = 0;
  const network: typeof systemNetwork = {
    ...systemNetwork,
    connect(to, options) {
      connects++;
      return systemNetwork.connect(to, options);
    },
  };
  const endpoints = addresses.map(({ host, port }) => `http://${host}:${port}`);
  const open = (): Coordinator => connectEtcd({ endpoints, token, runtime: { network } });
  if (broken === undefined) return open();
  const link = {
    get connects() {
      return connects;
    },
    reconnect: open,
  };
  return (brokenOutside[broken] as (typeof brokenOutside)[string]).bend(open(), link);
}

/** The same, to be made in a process of its own. */
export function clientModule(settings: () => EtcdClientSettings): ClientModule {
  return {
    url: import.meta.url,
    settings: (through) => ({ ...settings(), ...(through && { addresses: through }) }),
  };
}
