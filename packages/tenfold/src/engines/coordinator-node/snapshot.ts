import { createHash } from "node:crypto";

import { TenfoldError } from "../../runtime/errors.ts";
import { readState } from "./journal.ts";
import { type JournalState, tellState } from "./journal-state.ts";
import { encodeFrame, encodeHead, logHeadBytes } from "./log-frames.ts";

/** etcdctl takes a file for whole when it is so many bytes over a multiple of a disk's sector. */
const checksumBytes = 32;
const sectorBytes = 512;
const pieceBytes = 32_768;

/** A state as a file: what the journal would write, and its SHA-256, as etcd ends its own. */
export async function encodeSnapshot(state: JournalState): Promise<Uint8Array> {
  const frames: Uint8Array[] = [];
  for (const content of tellState(state)) {
    frames.push(encodeFrame(content));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const bytes = frames.reduce((sum, frame) => sum + frame.length, logHeadBytes);
  const padding = new Uint8Array((sectorBytes - (bytes % sectorBytes)) % sectorBytes);
  const content = Buffer.concat([encodeHead(bytes), ...frames, padding]);
  return Buffer.concat([content, checksum(content)]);
}

/** @throws TENFOLD_COORDINATOR_NODE_SNAPSHOT_INVALID when it is not a whole snapshot of a node */
export function decodeSnapshot(file: Uint8Array): JournalState {
  const content = file.subarray(0, Math.max(0, file.length - checksumBytes));
  if (Buffer.compare(checksum(content), file.subarray(content.length)) !== 0) {
    throw invalid("it does not end with its own checksum");
  }
  try {
    return readState(content).state;
  } catch (error) {
    throw invalid(error instanceof TenfoldError ? error.message : String(error), error);
  }
}

/** @returns the parts of a snapshot as they are sent, with what remains after each */
export function* snapshotPieces(
  file: Uint8Array,
): Generator<{ readonly blob: Uint8Array; readonly remainingBytes: bigint }> {
  for (let at = 0; at < file.length; at += pieceBytes) {
    const blob = file.subarray(at, at + pieceBytes);
    yield { blob, remainingBytes: BigInt(file.length - at - blob.length) };
  }
}

function checksum(content: Uint8Array): Buffer {
  return createHash("sha256").update(content).digest();
}

function invalid(why: string, cause?: unknown): TenfoldError {
  return new TenfoldError(
    "TENFOLD_COORDINATOR_NODE_SNAPSHOT_INVALID",
    `This is not a whole snapshot of a Tenfold coordinator: ${why}`,
    { cause },
  );
}
