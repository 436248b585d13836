import { errorText } from "../runtime/errors.ts";
import type { Log } from "../runtime/log.ts";
import type { Storage } from "../runtime/storage.ts";
import type { Revision } from "./coordinator.ts";

/** Where maps that were last known are kept, one file a map. */
export interface MapDisk {
  readonly storage: Storage;
  /** The fleet that the maps belong to: a file of another one is left alone. */
  readonly fleet: string;
}

/** A map as it was last known, in the form in which the coordinator has it. */
export interface SavedMap {
  /** The store's generation and revision that it shows. */
  readonly generation: number;
  readonly revision: Revision;
  /** Wall-clock milliseconds. */
  readonly savedAtMs: number;
  /** By name, the key without the map's prefix. */
  readonly values: ReadonlyMap<string, string>;
}

export interface MapFile {
  /** The map, or undefined when there is none that can be used; never throws. */
  load(): Promise<SavedMap | undefined>;
  /**
   * Replaces the file as a whole; false when it could not. A file that `load` did not understand is
   * not touched: somebody's data may be in it.
   */
  save(map: SavedMap): Promise<boolean>;
}

/** The version of the JSON form; a reader refuses every other. */
const formatVersion = 1;

export function mapFile({ storage, fleet }: MapDisk, prefix: string, log: Log): MapFile {
  const name = `maps/${encodeURIComponent(prefix)}.json`;
  let mayWrite = true;
  return {
    async load() {
      try {
        const bytes = await storage.read(name);
        return bytes && decodeMap(new TextDecoder().decode(bytes), fleet, prefix);
      } catch (error) {
        mayWrite = false;
        const reason = errorText(error);
        log.error("left a file of a map alone; remove it to have the map kept", { name, reason });
        return undefined;
      }
    },
    async save(map) {
      if (!mayWrite) return true;
      try {
        await storage.write(name, encodeMap(map, fleet, prefix));
        return true;
      } catch (error) {
        log.warn("keeping a map on disk failed", { name, reason: errorText(error) });
        return false;
      }
    },
  };
}

function encodeMap(map: SavedMap, fleet: string, prefix: string): string {
  const { generation, revision, savedAtMs, values } = map;
  const place = { format: formatVersion, fleet, prefix };
  const asOf = { generation, revision: revision.toString(), savedAtMs };
  return JSON.stringify({ ...place, ...asOf, values: [...values] });
}

/** @throws an error that says what is wrong with it */
function decodeMap(text: string, fleet: string, prefix: string): SavedMap {
  const fields = Object(JSON.parse(text)) as Record<string, unknown>;
  if (fields.format !== formatVersion) {
    throw new Error(
      `it has format ${JSON.stringify(fields.format)}, and ${formatVersion} is known here`,
    );
  }
  if (fields.fleet !== fleet || fields.prefix !== prefix) {
    throw new Error(
      `it is of ${JSON.stringify(fields.prefix)} in the fleet ${JSON.stringify(fields.fleet)}`,
    );
  }
  const { generation, revision, savedAtMs, values } = fields;
  const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);
  if (!isWhole(generation) || !isWhole(savedAtMs) || !/^\d{1,20}$/.test(String(revision))) {
    throw new Error("it does not say as of when it is");
  }
  if (!Array.isArray(values) || !values.every(isPair)) throw new Error("its values are no map");
  return { generation, revision: BigInt(revision as string), savedAtMs, values: new Map(values) };
}

function isPair(value: unknown): value is [string, string] {
  return (
    Array.isArray(value) && value.length === 2 && value.every((one) => typeof one === "string")
  );
}
