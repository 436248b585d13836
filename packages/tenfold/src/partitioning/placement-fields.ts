import { errorText, TenfoldError } from "../runtime/errors.ts";
import { invalidPlacement } from "./placement-error.ts";

/** The version of the JSON form; a reader refuses every other. */
export const placementFormat = 1;

export type PlacementFields = Readonly<Record<string, unknown>>;

/**
 * What a placement in JSON says.
 * @throws TENFOLD_PARTITIONING_FORMAT_UNKNOWN when a newer Tenfold wrote it;
 *   TENFOLD_PARTITIONING_PLACEMENT_INVALID
 */
export function placementFields(json: string): PlacementFields {
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(json) as typeof value;
  } catch (cause) {
    throw invalidPlacement("json", `the placement is no JSON: ${errorText(cause)}`);
  }
  const format = Object(value).format as unknown;
  if (format === placementFormat) return value as Record<string, unknown>;
  throw new TenfoldError(
    "TENFOLD_PARTITIONING_FORMAT_UNKNOWN",
    `This placement has format ${JSON.stringify(format)}; only ${placementFormat} is known here.`,
  );
}
