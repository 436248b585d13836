import type { Revision } from "./coordinator.ts";

/**
 * A number that grows with every creation of anything in the coordinator, also over the restore of
 * an older backup, as text: generation and revision in hexadecimal, `gggggggg.rrrrrrrrrrrrrrrr`, of
 * fixed width. So SQL (`COLLATE "C"`), Redis and JavaScript agree on its order with a plain `<`.
 */
export type FencingToken = string;

/** The highest generation: eight hexadecimal digits, in seconds since 1970 the year 2106. */
export const generationMax = 0xffff_ffff;

/** @param generation 0 … `generationMax`; @param revision 0 … 2^64 − 1 */
export function fencingToken(generation: number, revision: Revision): FencingToken {
  return `${hex(generation, 8)}.${hex(revision, 16)}`;
}

/** The generation in a token that `fencingToken` made. */
export function tokenGeneration(token: FencingToken): number {
  return Number.parseInt(token.slice(0, 8), 16);
}

function hex(number: number | bigint, digits: number): string {
  return number.toString(16).padStart(digits, "0");
}
