import fc from "fast-check";
import { expect, test } from "vitest";

import { decodePost, encodePost, type Post, sortKey } from "./post.ts";

const id = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const text = fc.string({ unit: "grapheme" });
const preview = fc.record(
  { title: text, url: text, type: text, image: text, description: text, author: text },
  { requiredKeys: [] },
);
const anyPost = fc.record(
  { id, userId: id, contents: text, url: text, preview, createdAtMs: fc.nat() },
  { requiredKeys: ["id", "userId", "contents", "createdAtMs"] },
) as fc.Arbitrary<Post>;

test("JSON keeps a post, ids as text", () => {
  fc.assert(
    fc.property(anyPost, (post) => {
      const json = encodePost(post);
      expect(decodePost(json)).toEqual(post);
      expect(JSON.parse(json)).toMatchObject({
        id: post.id.toString(),
        userId: post.userId.toString(),
      });
    }),
  );
});

test("sort keys order as the ids do", () => {
  fc.assert(
    fc.property(id, id, (a, b) => {
      expect(sortKey(a) < sortKey(b)).toBe(a < b);
      expect(BigInt(sortKey(a))).toBe(a);
    }),
  );
});

test.each([
  "null",
  "[]",
  "{}",
  '{"id":1,"userId":"2","contents":"x","createdAtMs":1}',
  '{"id":"-1","userId":"2","contents":"x","createdAtMs":1}',
  '{"id":"1","userId":"2","contents":3,"createdAtMs":1}',
  '{"id":"1","userId":"2","contents":"x","createdAtMs":"1"}',
  '{"id":"1","userId":"2","contents":"x","createdAtMs":1,"preview":"x"}',
])("%s is no post", (json) => {
  expect(() => decodePost(json)).toThrow(
    expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" }),
  );
});
