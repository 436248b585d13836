import type { SocketAddress } from "../runtime/network.ts";
import { createFaultProxy, type FaultProxy } from "./fault-proxy.ts";

/** A proxy before each of several servers, told as one: the way of one client to all of them. */
export interface FaultProxies extends Omit<FaultProxy, "address"> {
  readonly addresses: readonly SocketAddress[];
}

export async function createFaultProxies(targets: readonly SocketAddress[]): Promise<FaultProxies> {
  const proxies = await Promise.all(targets.map((target) => createFaultProxy({ target })));
  const sum = (of: (proxy: FaultProxy) => number): number =>
    proxies.reduce((total, proxy) => total + of(proxy), 0);
  const close = async (): Promise<void> => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
  };
  let state: FaultProxy["state"] = "pass";
  return {
    addresses: proxies.map((proxy) => proxy.address),
    get bytesToClients() {
      return sum((proxy) => proxy.bytesToClients);
    },
    get connections() {
      return sum((proxy) => proxy.connections);
    },
    get cuts() {
      return sum((proxy) => proxy.cuts);
    },
    get state() {
      return state;
    },
    set state(next) {
      state = next;
      for (const proxy of proxies) proxy.state = next;
    },
    set(faults, way) {
      for (const proxy of proxies) proxy.set(faults, way);
    },
    cutAfterBytes(bytes, way) {
      for (const proxy of proxies) proxy.cutAfterBytes(bytes, way);
    },
    reset() {
      for (const proxy of proxies) proxy.reset();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
