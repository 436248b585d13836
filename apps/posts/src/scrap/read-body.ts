import { Readable } from "node:stream";
import { constants, createBrotliDecompress, createUnzip } from "node:zlib";

import { AppError } from "../app-error.ts";

/** HTML shrinks to a tenth, with luck to a thirtieth; what grows more than this is a bomb. */
const expansionMax = 100;

export interface Body {
  readonly bytes: Uint8Array;
  /** The limit was reached: there may have been more. */
  readonly cut: boolean;
}

type Decompression = ReturnType<typeof createUnzip> | ReturnType<typeof createBrotliDecompress>;

/**
 * Reads a body up to `bytesMax` and leaves the rest. The limit holds for the bytes on the wire and
 * again for those decompressed, so that neither a bomb nor an endless stream of nothing gets
 * further. Compressed data that breaks off gives what there was.
 *
 * @throws POSTS_PAGE_UNAVAILABLE for an unknown or broken encoding; POSTS_PAGE_REFUSED for a bomb;
 *   whatever the source throws
 */
export async function readBody(
  source: AsyncIterable<Uint8Array>,
  encoding: string | undefined,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Body> {
  const wire = atMost(source, bytesMax);
  const decompress = decompressionOf(encoding);
  if (decompress === undefined) return bodyOf(await collect(wire), bytesMax);
  const input = Readable.from(wire, { objectMode: false });
  input.once("error", (error) => decompress.destroy(error));
  const onAbort = (): void => void decompress.destroy(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const body = bodyOf(await collect(atMost(input.pipe(decompress), bytesMax)), bytesMax);
    // `bytesWritten` counts what went into the decompression, not what waits before it.
    if (body.cut && body.bytes.length > expansionMax * decompress.bytesWritten) throw bomb();
    return body;
  } catch (error) {
    if (!isCorruption(error)) throw error;
    throw new AppError("POSTS_PAGE_UNAVAILABLE", "The page has a broken compression.");
  } finally {
    signal.removeEventListener("abort", onAbort);
    input.destroy();
    decompress.destroy();
  }
}

async function* atMost(
  source: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Uint8Array> {
  let left = bytesMax;
  for await (const chunk of source) {
    yield chunk.length > left ? chunk.subarray(0, left) : chunk;
    left -= chunk.length;
    if (left <= 0) return;
  }
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function decompressionOf(encoding = "identity"): Decompression | undefined {
  switch (encoding.trim().toLowerCase()) {
    case "identity":
      return undefined;
    case "gzip":
    case "x-gzip":
    case "deflate":
      // With a flush as the end, data that breaks off is no error.
      return createUnzip({ finishFlush: constants.Z_SYNC_FLUSH });
    case "br":
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH });
    default:
      throw new AppError("POSTS_PAGE_UNAVAILABLE", "The page has an unknown content encoding.");
  }
}

function bodyOf(bytes: Uint8Array, bytesMax: number): Body {
  return { bytes, cut: bytes.length >= bytesMax };
}

function bomb(): AppError {
  return new AppError("POSTS_PAGE_REFUSED", "The page is a decompression bomb.");
}

function isCorruption(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^(Z_|ERR_BROTLI|ERR__ERROR|ERR_PADDING)/.test(code);
}
