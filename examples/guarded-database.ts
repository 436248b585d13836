// A page that shows a stored name and counts its visits: SQL, which it needs, and a Redis-style
// client, which it can do without. The client takes no signal, so a call is just not waited for.
import { DatabaseSync } from "node:sqlite";
import { callPolicy, guard } from "tenfold/resilience";

const database = new DatabaseSync(":memory:");
database.exec("create table users (id integer primary key, name text not null unique)");

// What the caller did wrong says nothing about the database, and is thrown as it is.
const isOurs = (error: unknown) => /constraint/i.test(String(error));
const sql = guard(
  (_call, text: string, ...values: (string | number)[]) => database.prepare(text).all(...values),
  callPolicy({
    name: "users database",
    classifyError: (error) => (isOurs(error) ? "ignored" : undefined),
  }),
);

let redisHangs = false;
const redis = {
  count: 0,
  incr: (_key: string) => new Promise<number>((done) => redisHangs || done(++redis.count)),
};
const visits = guard(
  (_call, key: string) => redis.incr(key),
  callPolicy({ name: "visits", tryTimeoutMs: 50, retry: false, breaker: { consecutiveMax: 2 } }),
  ({ reason }) => reason,
);

await sql("insert into users values (?, ?)", 1, "Ada");
console.log(await sql("select name from users where id = ?", 1));
await sql("insert into users values (?, ?)", 2, "Ada").catch((error) => console.log(error.message));
console.log(await visits("page"));
redisHangs = true;
for (let page = 0; page < 3; page += 1) console.log(await visits("page"));

// Prints:
// [ [Object: null prototype] { name: 'Ada' } ]
// UNIQUE constraint failed: users.name
// { degraded: false, value: 1 }
// { degraded: true, reason: 'timeout', value: 'timeout' }
// { degraded: true, reason: 'timeout', value: 'timeout' }
// { degraded: true, reason: 'circuitOpen', value: 'circuitOpen' }
