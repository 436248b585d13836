import { snapshotResponse } from "./maintenance-messages.ts";
import { methods } from "./messages.ts";
import { type EtcdOptions, openChannel } from "./open-channel.ts";
import { decode } from "./protobuf.ts";
import { portError } from "./rpc-error.ts";

/**
 * Takes a snapshot of one of the servers, as `etcdctl snapshot save` does: of the embedded node one
 * for `tenfold coordinator restore`, of etcd one for `etcdctl snapshot restore`.
 *
 * @param write gets the parts of the file in order; the last one is the SHA-256 of all before
 * @throws TENFOLD_COORDINATION_UNAVAILABLE, TENFOLD_COORDINATION_REFUSED,
 *   TENFOLD_COORDINATION_ENDPOINT_INVALID, and what `write` throws
 */
export async function receiveSnapshot(
  options: EtcdOptions,
  write: (part: Uint8Array) => void,
): Promise<void> {
  const { channel } = openChannel("receiveSnapshot", options);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const call = await channel.stream(
      methods.snapshot,
      {
        message(bytes) {
          try {
            write(decode(snapshotResponse, bytes).blob);
          } catch (error) {
            call.cancel();
            reject(error);
          }
        },
        end: (error) => (error === undefined ? resolve() : reject(error)),
      },
      channel.closing,
    );
    call.finish(new Uint8Array(0));
    await promise;
  } catch (error) {
    throw portError(error);
  } finally {
    channel.close();
  }
}
