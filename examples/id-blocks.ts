// Thousands of ids with one call of a service, handed out one by one.
import {
  createBlockIds,
  decodeIdBlock,
  encodeIdBlock,
  formatShortId,
  snowflake,
} from "tenfold/identifiers";

// What the guid service answers to `GET /api/v1/guid/blocks?size=…`.
const server = snowflake({ worker: 7 });
let calls = 0;
const answer = (size: number): string => {
  calls += 1;
  return JSON.stringify(encodeIdBlock(server.take(size, Date.now())));
};

await using ids = createBlockIds({
  size: 4_096,
  fetch: async (size) => decodeIdBlock(JSON.parse(answer(size))),
});
const seen = new Set<bigint>();
let bytes = 0;
for (let made = 0; made < 10_000; made++) seen.add(ids.take() ?? (await ids.next()));
for (const id of seen) bytes += formatShortId(id).length;
console.log(`${seen.size} different ids, ${bytes / seen.size} characters each when short`);
console.log(`calls of the service: fewer than ten: ${calls < 10}`);

// Prints:
// 10000 different ids, 13 characters each when short
// calls of the service: fewer than ten: true
