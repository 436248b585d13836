import { readFile, stat } from "node:fs/promises";
import { type CountryResponse, Reader } from "maxmind";
import { errorText, type Runtime } from "tenfold/runtime";

import { AppError } from "../app-error.ts";

export interface CountryDatabaseOptions {
  /** A MaxMind-format file whose records have `country.iso_code`, as GeoLite2 and DB-IP do. */
  readonly path: string;
  readonly runtime: Pick<Runtime, "clock" | "log">;
  /** How often the file is looked at; default 2,000. */
  readonly checkMs?: number;
}

export const countryDatabaseDefaults: {
  readonly checkMs: number;
  readonly fileBytesMax: number;
} = Object.freeze({
  checkMs: 2_000,
  /** The file is held in memory; the largest published ones are far below this. */
  fileBytesMax: 512 * 1024 * 1024,
});

/** The operator's file, read again when it changes. */
export interface CountryDatabase extends AsyncDisposable {
  /**
   * The ISO 3166 code of the address's country, or null when the file does not know it.
   * @throws POSTS_GEOIP_UNAVAILABLE while there is no usable file
   */
  countryOf(ip: string): string | null;
  /** Stops looking at the file. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the file, and goes on without one while it is missing or broken. A file that becomes
 * missing or broken later is logged, and the last good one keeps answering.
 */
export async function createCountryDatabase(
  options: CountryDatabaseOptions,
): Promise<CountryDatabase> {
  const { path, runtime } = options;
  const { clock, log } = runtime;
  const checkMs = options.checkMs ?? countryDatabaseDefaults.checkMs;
  const stop = new AbortController();
  let reader: Reader<CountryResponse> | undefined;
  let problem = "its file was not read yet";
  let seen = "";

  const check = async (): Promise<void> => {
    const now = await fingerprint(path);
    if (now === seen) return;
    seen = now;
    try {
      reader = await openReader(path);
      log.info("country database read", { path, builtAt: reader.metadata.buildEpoch });
    } catch (error) {
      problem = errorText(error);
      const keptLast = reader !== undefined;
      log.warn("country database not usable", { path, reason: problem, keptLast });
    }
  };
  const watch = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await clock.sleep(checkMs, { signal: stop.signal }).catch(() => {});
      if (!stop.signal.aborted) await check();
    }
  };
  await check();
  const watching = watch();
  const close = async (): Promise<void> => {
    stop.abort();
    await watching;
  };
  return {
    countryOf(ip) {
      if (reader === undefined) throw geoipUnavailable(problem);
      try {
        return reader.get(ip)?.country?.iso_code ?? null;
      } catch (cause) {
        throw geoipUnavailable("its file is damaged inside", cause);
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Changes when the file does: replaced, written, or gone. */
async function fingerprint(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? "missing" : `${found.ino} ${found.size} ${found.mtimeMs}`;
}

/** @throws an error whose message goes on from "the country database cannot answer: …" */
async function openReader(path: string): Promise<Reader<CountryResponse>> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile()) throw new Error("its file is missing");
  const { fileBytesMax } = countryDatabaseDefaults;
  if (found.size > fileBytesMax) throw new Error(`its file is larger than ${fileBytesMax} bytes`);
  const contents = await readFile(path);
  try {
    const reader = new Reader<CountryResponse>(contents);
    assertWhole(reader, contents.length);
    return reader;
  } catch (cause) {
    throw new Error("its file is truncated or not in MaxMind's format", { cause });
  }
}

/** The parser reads past the end of what is missing: what it found must make sense and fit. */
function assertWhole({ metadata }: Reader<CountryResponse>, fileBytes: number): void {
  const { binaryFormatMajorVersion, buildEpoch, nodeCount, searchTreeSize } = metadata;
  const isWhole =
    binaryFormatMajorVersion === 2 &&
    nodeCount > 0 &&
    searchTreeSize < fileBytes &&
    !Number.isNaN(buildEpoch.getTime());
  if (!isWhole) throw new RangeError("the metadata does not fit the file");
}

function geoipUnavailable(reason: string, cause?: unknown): AppError {
  const message = `The country database cannot answer: ${reason}.`;
  const { checkMs: retryAfterMs } = countryDatabaseDefaults;
  return new AppError("POSTS_GEOIP_UNAVAILABLE", message, { retryAfterMs, cause });
}
