import { murmur3 } from "../hashing/murmur3.ts";
import { numberOption } from "../runtime/options.ts";
import { invalidPlacement } from "./placement-error.ts";

export interface KeyFilterOptions {
  /** How many keys it is made for: 1 … 10,000,000; more only make it say "maybe" more often. */
  readonly keysMax: number;
  /** The share of other keys for which it says "maybe": 0.0001 … 0.5. Default 0.01. */
  readonly maybeShare?: number;
}

export const keyFilterDefaults: { readonly maybeShare: number } = Object.freeze({
  maybeShare: 0.01,
});

/** Which keys may have an entry: "no" is certain, "maybe" is not. About 10 bits a key. */
export interface KeyFilter {
  readonly bytes: number;
  add(key: string): void;
  mayHold(key: string): boolean;
  /** The form in which a directory hands it to clients. */
  encode(): string;
}

const secondSeed = 0x9747b28c;
const bytesMax = 32 * 1024 * 1024;
const probesMax = 16;

/**
 * An empty filter (Bloom 1970; two hashes stand for all, Kirsch and Mitzenmacher 2006).
 * @throws TENFOLD_OPTION_INVALID
 */
export function keyFilter(options: KeyFilterOptions): KeyFilter {
  const keysMax = numberOption("keysMax", options.keysMax, { min: 1, max: 10_000_000 });
  const share = options.maybeShare ?? keyFilterDefaults.maybeShare;
  numberOption("maybeShare", share, { min: 0.0001, max: 0.5, whole: false });
  const bitsPerKey = -Math.log(share) / Math.LN2 ** 2;
  const bytes = Math.ceil((keysMax * bitsPerKey) / 8);
  const probes = Math.max(1, Math.round(bitsPerKey * Math.LN2));
  return filterOver(new Uint8Array(bytes), probes);
}

function filterOver(held: Uint8Array, probes: number): KeyFilter {
  const bits = held.length * 8;
  /** True when every bit was set already; sets them all when asked to. */
  const visit = (key: string, set: boolean): boolean => {
    const step = murmur3(key, secondSeed) | 1;
    let hash = murmur3(key);
    let all = true;
    for (let probe = 0; probe < probes; probe++) {
      const bit = hash % bits;
      const mask = 1 << (bit & 7);
      const byte = held[bit >>> 3] as number;
      if ((byte & mask) === 0) all = false;
      if (set) held[bit >>> 3] = byte | mask;
      else if (!all) return false;
      hash = (hash + step) >>> 0;
    }
    return all;
  };
  return {
    bytes: held.length,
    add: (key) => void visit(key, true),
    mayHold: (key) => visit(key, false),
    encode() {
      const text = Array.from(held, (byte) => String.fromCharCode(byte)).join("");
      return JSON.stringify({ format: 1, probes, bits: btoa(text) });
    },
  };
}

/** @throws TENFOLD_PARTITIONING_PLACEMENT_INVALID */
export function decodeKeyFilter(json: string): KeyFilter {
  try {
    const { format, probes, bits } = JSON.parse(json) as Record<string, unknown>;
    const text = typeof bits === "string" ? atob(bits) : "";
    const fits = Number.isInteger(probes) && (probes as number) >= 1;
    if (format === 1 && fits && (probes as number) <= probesMax) {
      if (text.length >= 1 && text.length <= bytesMax) {
        const held = Uint8Array.from(text, (char) => char.charCodeAt(0));
        return filterOver(held, probes as number);
      }
    }
  } catch {
    // Falls through to the one error.
  }
  throw invalidPlacement("filter", "this is no key filter of format 1");
}
