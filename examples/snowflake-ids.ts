// 64-bit ids that sort by time and are unique without asking anybody.
import { decodeSnowflake, formatId, snowflake } from "tenfold/identifiers";

const ids = snowflake({ worker: 7 });
const first = ids.next(Date.now());
const second = ids.next(Date.now());

console.log(`sorted by time: ${first < second}`);
console.log(`in JSON: ${JSON.stringify({ id: formatId(first) })}`);
const { worker, timeMs } = decodeSnowflake(first);
console.log(`worker ${worker} made it in ${new Date(timeMs).getUTCFullYear()}`);

// The clock is set back by five seconds: ids go on upwards.
const third = ids.next(Date.now() - 5_000);
console.log(`still sorted: ${second < third}`);

// Prints:
// sorted by time: true
// in JSON: {"id":"…"}
// worker 7 made it in 20…
// still sorted: true
