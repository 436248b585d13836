import { TenfoldError } from "../runtime/errors.ts";
import { type CompositeMap, compositeMap } from "./composite-map.ts";
import type { DirectoryEntry } from "./directory-entry.ts";
import { bytesOfHex } from "./hex.ts";
import { type IndexedMap, indexedMap } from "./indexed-map.ts";
import { type ListMap, type ListRow, listMap } from "./list-map.ts";
import { type ModularBasis, type ModularMap, modularMap } from "./modular-map.ts";
import { invalidPlacement } from "./placement-error.ts";
import { type PlacementFields, placementFields, placementFormat } from "./placement-fields.ts";
import { type BoundKind, boundText, openEnd, type RangeBound } from "./range-bound.ts";
import { type RangeMap, type RangeRow, rangeMap } from "./range-map.ts";
import { type SlotMap, slotMapOf } from "./slot-map.ts";

/** A checked placement of any kind. */
export type PlacementMap =
  | SlotMap
  | RangeMap
  | ModularMap
  | ListMap
  | IndexedMap<PlacementMap>
  | CompositeMap<PlacementMap, PlacementMap>;

export const placementLimits: { readonly depthMax: number } = Object.freeze({ depthMax: 4 });

/**
 * The placement in an entry of the placement map. One without a kind is by slots.
 *
 * @throws TENFOLD_PARTITIONING_FORMAT_UNKNOWN, TENFOLD_PARTITIONING_KIND_UNKNOWN when a newer
 *   Tenfold wrote it; TENFOLD_PARTITIONING_PLACEMENT_INVALID with the offending rows
 */
export function placementOf(json: string): PlacementMap {
  return mapOf(placementFields(json), 1);
}

/** The form that the coordinator keeps. */
export function encodePlacement(map: PlacementMap): string {
  return JSON.stringify({ format: placementFormat, ...fieldsOf(map) });
}

function mapOf(fields: PlacementFields, depth: number): PlacementMap {
  if (depth > placementLimits.depthMax) {
    throw invalidPlacement("depth", `it nests deeper than ${placementLimits.depthMax}`);
  }
  const version = fields.version as number;
  switch (fields.kind ?? "slots") {
    case "slots":
      return slotMapOf(fields);
    case "range":
      return rangeMap({ version, rows: rangeRows(fields) });
    case "modular": {
      const buckets = listOf(fields, "buckets") as string[];
      return modularMap({ version, by: fields.by as ModularBasis, buckets });
    }
    case "list":
      return listMap({ version, rows: listOf(fields, "rows").map(Object) as ListRow[] });
    case "indexed": {
      const base = mapOf(objectOf(fields, "base"), depth + 1);
      const entries = listOf(fields, "entries") as DirectoryEntry[];
      return indexedMap({ version, base, entries });
    }
    case "composite": {
      const outer = mapOf(objectOf(fields, "outer"), depth + 1);
      const groups = objectOf(fields, "inside");
      const inside = new Map(
        Object.keys(groups).map((group) => [group, mapOf(objectOf(groups, group), depth + 1)]),
      );
      return compositeMap({ version, separator: fields.separator as string, outer, inside });
    }
    default:
      throw new TenfoldError(
        "TENFOLD_PARTITIONING_KIND_UNKNOWN",
        `A placement of kind ${JSON.stringify(fields.kind)} is not known here.`,
        { details: { kind: fields.kind } },
      );
  }
}

function fieldsOf(map: PlacementMap): PlacementFields {
  const { kind, version } = map;
  switch (kind) {
    case "slots": {
      const { slots, shards, ranges } = map;
      return { kind, version, slots, shards, ranges };
    }
    case "range": {
      const rows = map.rows.map(({ start, end, shard }) => ({
        start: boundText(start),
        end: end === undefined ? openEnd : boundText(end),
        shard,
      }));
      return { kind, version, bounds: map.bounds, rows };
    }
    case "modular":
      return { kind, version, by: map.by, buckets: map.buckets };
    case "list":
      return { kind, version, rows: map.rows };
    case "indexed":
      return { kind, version, base: fieldsOf(map.base), entries: map.entries };
    case "composite": {
      const inside = [...map.inside].map(([group, part]) => [group, fieldsOf(part)] as const);
      const { separator, outer } = map;
      return {
        kind,
        version,
        separator,
        outer: fieldsOf(outer),
        inside: Object.fromEntries(inside),
      };
    }
  }
}

/** Whole numbers may stand as such or as decimal text, bytes as hexadecimal text. */
function rangeRows(fields: PlacementFields): RangeRow[] {
  const bounds = fields.bounds ?? "integer";
  if (bounds !== "integer" && bounds !== "bytes") {
    throw invalidPlacement(
      "bound",
      `bounds are "integer" or "bytes", got ${JSON.stringify(bounds)}`,
    );
  }
  return listOf(fields, "rows").map((row) => {
    const { start, end, shard } = Object(row) as Record<string, unknown>;
    const from = boundOf(start, bounds);
    const to = end === openEnd ? openEnd : boundOf(end, bounds);
    if (from !== undefined && to !== undefined) {
      return { start: from, end: to, shard: shard as string };
    }
    const expected = bounds === "bytes" ? "hexadecimal text" : "whole numbers from 0";
    const shown = { start: String(start), end: String(end), shard: String(shard) };
    throw invalidPlacement("bound", `bounds must all be ${expected}, the open end -1`, [shown]);
  });
}

function boundOf(value: unknown, bounds: BoundKind): RangeBound | undefined {
  if (bounds === "bytes") return typeof value === "string" ? bytesOfHex(value) : undefined;
  if (typeof value === "number") return value;
  return typeof value === "string" && /^-?\d{1,39}$/.test(value) ? BigInt(value) : undefined;
}

function listOf(fields: PlacementFields, name: string): readonly unknown[] {
  const value = fields[name];
  if (Array.isArray(value)) return value;
  throw invalidPlacement("json", `\`${name}\` must be a list`);
}

function objectOf(fields: PlacementFields, name: string): PlacementFields {
  const value = fields[name];
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as PlacementFields;
  throw invalidPlacement("json", `\`${name}\` must be an object`);
}
