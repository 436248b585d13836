import fc from "fast-check";
import { expect, test } from "vitest";

import { cursorCodec } from "./cursor.ts";

const codec = cursorCodec("a secret of the fleet");
const id = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });

test("a cursor comes back as it was made, for its user only", () => {
  fc.assert(
    fc.property(id, id, id, (user, other, before) => {
      const cursor = codec.encode(user, before);
      expect(cursor).toMatch(/^[\w-]{43}$/);
      expect(codec.decode(user, cursor)).toBe(before);
      if (other === user) return;
      expect(() => codec.decode(other, cursor)).toThrow(
        expect.objectContaining({ code: "POSTS_CURSOR_INVALID", status: 400 }),
      );
    }),
  );
});

test("any other text is refused: every changed character, every length, another secret", () => {
  const cursor = codec.encode(42n, 7n);
  const changed = [...cursor].flatMap((letter, at) =>
    [..."Aa0_-Z"]
      .filter((other) => other !== letter)
      .map((other) => cursor.slice(0, at) + other + cursor.slice(at + 1)),
  );
  const foreign = cursorCodec("another secret").encode(42n, 7n);
  const texts = [...changed, foreign, "", "7", cursor.slice(1), `${cursor}A`, "é".repeat(43)];
  for (const text of texts) {
    expect(() => codec.decode(42n, text)).toThrow(
      expect.objectContaining({ code: "POSTS_CURSOR_INVALID" }),
    );
  }
});
