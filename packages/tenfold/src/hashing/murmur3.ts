const encoder = new TextEncoder();

/**
 * MurmurHash3 x86_32 (Austin Appleby, smhasher): an unsigned 32-bit number. Text is hashed as its
 * UTF-8 bytes. Not for secrets: collisions are easy to make.
 */
export function murmur3(key: Uint8Array | string, seed = 0): number {
  const bytes = typeof key === "string" ? encoder.encode(key) : key;
  const length = bytes.length;
  const bodyEnd = length & ~3;
  let hash = seed | 0;
  for (let i = 0; i < bodyEnd; i += 4) {
    hash ^= mixed(
      at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24),
    );
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = length - 1; i >= bodyEnd; i--) tail = (tail << 8) | at(bytes, i);
  if (length > bodyEnd) hash ^= mixed(tail);
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mixed(word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}
