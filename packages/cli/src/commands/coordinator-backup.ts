import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { raiseGeneration } from "tenfold/coordination";
import { restoreCoordinatorNode } from "tenfold/engines/coordinator-node";
import { connectEtcd, type EtcdOptions, receiveSnapshot } from "tenfold/engines/etcd";
import { type CoordinatorAccess, resolveSecret } from "tenfold/fleet";
import { errorReason, invalidOption, systemClock, TenfoldError } from "tenfold/runtime";

import { type PrintOptions, print } from "../print.ts";

export interface BackupOptions extends PrintOptions, CoordinatorAccess {
  readonly url: string;
  readonly cacert?: string;
}

export interface RestoreCommandOptions extends PrintOptions {
  readonly data?: string;
}

/** `tenfold coordinator snapshot FILE`: the file is there whole, or not at all. */
export async function takeSnapshot(file: string, options: BackupOptions): Promise<void> {
  const from = await clientOptions(options);
  const part = `${file}.part`;
  let bytes = 0;
  try {
    const handle = openSync(part, "w", 0o600);
    try {
      await receiveSnapshot(from, (blob) => {
        bytes += writeSync(handle, blob);
      });
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    if (error instanceof TenfoldError) throw error;
    const why = `${file} cannot be written: ${errorReason(error)}`;
    throw new TenfoldError("TENFOLD_OPTION_INVALID", why, { cause: error });
  }
  print(options, { file, bytes }, () => `${bytes} bytes are saved in ${file}.`);
}

/** `tenfold coordinator restore FILE --data DIR` */
export async function restore(file: string, options: RestoreCommandOptions): Promise<void> {
  const { data: dataFolder } = options;
  if (dataFolder === undefined) {
    throw invalidOption("--data", "the folder to restore into", dataFolder);
  }
  const done = await restoreCoordinatorNode({ snapshot: contents(file), dataFolder });
  print(options, { dataFolder, ...done }, () => {
    const { keys, revision, generation } = done;
    return `${dataFolder} holds ${keys} keys at revision ${revision}, generation ${generation}.`;
  });
}

/** `tenfold coordinator adopt`: clients that refuse the store as younger than they knew go on. */
export async function adopt(options: BackupOptions): Promise<void> {
  const coordinator = connectEtcd(await clientOptions(options));
  try {
    const generation = await raiseGeneration(coordinator, systemClock.wallNow());
    print(options, { generation }, () => `The store is adopted: generation ${generation}.`);
  } finally {
    await coordinator.close();
  }
}

async function clientOptions(options: BackupOptions): Promise<EtcdOptions> {
  const { url: endpoints, token, user, password, cacert: ca } = options;
  return {
    endpoints,
    user,
    ...(ca === undefined ? {} : { tls: { ca } }),
    token: token === undefined ? undefined : await resolveSecret(token),
    password: password === undefined ? undefined : await resolveSecret(password),
  };
}

function contents(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    const why = `The snapshot cannot be read: ${errorReason(cause)}`;
    throw new TenfoldError("TENFOLD_OPTION_INVALID", why, { cause });
  }
}
