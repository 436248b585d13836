import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeSlotMap, finerSlotMap } from "tenfold/partitioning";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runByHand } from "../../../lab/support/by-hand.ts";
import { type LabFleet, startFleet, until } from "../../../lab/support/fleet.ts";
import { leftBehind } from "../../../lab/support/left-behind.ts";
import { readMetrics, servedRequests } from "../../../lab/support/metrics.ts";
import { countryFile } from "./geoip/country-file.ts";
import { badCursors, badRequests, badUrls } from "./testing/bad-requests.ts";
import { changeSettings, heededSettings } from "./testing/change-settings.ts";
import { failedStart } from "./testing/failed-start.ts";
import { fleetFileAllowing, smallFleetFile } from "./testing/fleet-files.ts";
import { type HostileSite, startHostileSite } from "./testing/hostile-site.ts";
import { call, type HttpAnswer, post } from "./testing/http-call.ts";
import {
  badPlacements,
  type PlaceOfUser,
  placementOperator,
  placeOfUser,
} from "./testing/placement-operator.ts";
import { refusalOf, refusalOfUrl, wantedRefusal } from "./testing/refusal.ts";
import { slowWrite } from "./testing/slow-write.ts";
import { writeThrough } from "./testing/write-through.ts";
import { startTraffic, trafficDefaults } from "./traffic/traffic.ts";

interface PostJson {
  readonly id: string;
  readonly contents: string;
  readonly preview?: { readonly title?: string };
}
interface PageJson {
  readonly posts: readonly PostJson[];
  readonly nextCursor: string | null;
}

const folder = mkdtempSync(join(tmpdir(), "tenfold-posts-"));
const dataFolder = join(folder, "data");
/** On a machine that is busy with other work. */
const soonMs = 90_000;
let site: HostileSite;
let fleet: LabFleet;
let lastUser = 1_000;

beforeAll(async () => {
  site = await startHostileSite();
  const fleetFile = fleetFileAllowing(site.host, folder);
  fleet = await startFleet({ fleetFile, dataFolder });
}, 300_000);

afterAll(async () => {
  await fleet?.close();
  await site?.close();
  const left = leftBehind(folder);
  for (const { pid } of left) process.kill(pid, "SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  expect(left).toEqual([]);
}, 60_000);

const newUser = (): number => ++lastUser;
const write = (user: number, body: unknown, key?: string): Promise<HttpAnswer> =>
  post(
    fleet.gateway,
    `/api/v1/posts/${user}`,
    body,
    key === undefined ? {} : { "idempotency-key": key },
  );
const get = (path: string): Promise<HttpAnswer> => call(fleet.gateway, path);
const list = async (user: number, query = "limit=100"): Promise<PageJson> => {
  const answer = await get(`/api/v1/posts/${user}?${query}`);
  expect(answer).toMatchObject({ status: 200 });
  return answer.json<PageJson>();
};
/** The ids of all pages. */
const listAll = async (user: number): Promise<string[]> => {
  const ids: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: PageJson = await list(user, `limit=100${cursor && `&cursor=${cursor}`}`);
    ids.push(...idsOf(page));
    cursor = page.nextCursor;
  }
  return ids;
};
const idsOf = ({ posts }: PageJson): string[] => posts.map(({ id }) => id);
/** Which process every instance is, and how often it was started again. */
const lives = async () =>
  (await fleet.status()).instances.map(({ name, pid, restarts }) => ({ name, pid, restarts }));
const inParallel = <Item, Result>(items: readonly Item[], run: (item: Item) => Promise<Result>) =>
  Promise.all(items.map(run));

describe("a user", () => {
  test("writes, and reads back at once wherever the next request lands", async () => {
    const user = newUser();
    for (let round = 0; round < 10; round++) {
      const written = await write(user, { contents: `post ${round}` });
      expect(written.status).toBe(201);
      const { id } = written.json<PostJson>();
      const [page, one] = await Promise.all([list(user), get(`/api/v1/posts/${user}/${id}`)]);
      expect(page.posts[0]).toMatchObject({ id, contents: `post ${round}` });
      expect(page.posts).toHaveLength(round + 1);
      expect(one).toMatchObject({ status: 200 });
      expect(one.json<PostJson>().id).toBe(id);
      expect(written.headers.location).toBe(`/api/v1/posts/${user}/${id}`);
    }
  });

  test("sees what the page behind a URL says of itself, in any charset", async () => {
    const { instances } = await fleet.status();
    const pages = instances.find(({ service }) => service === "pages");
    const url = `http://${pages?.address}:${pages?.port}/ko/euc-kr`;
    const written = await write(newUser(), { contents: "한글", url });
    expect(written.json<PostJson>().preview?.title).toBe("오래된 도서관의 한글 목록");
  });

  test("who sends one post twenty times at once has written it once", async () => {
    const [user, key] = [newUser(), randomUUID()];
    const racers = Array.from({ length: 20 }, () => write(user, { contents: "once" }, key));
    const answers = await Promise.all(racers);
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    const ids = new Set(answers.map((answer) => answer.json<PostJson>().id));
    expect(ids.size).toBe(1);
    const replayed = answers.filter(({ headers }) => headers["idempotent-replayed"] === "true");
    expect(replayed).toHaveLength(19);
    const other = await write(user, { contents: "something else" }, key);
    expect(other).toMatchObject({ status: 422, code: "POSTS_IDEMPOTENCY_KEY_REUSED" });
    expect(idsOf(await list(user))).toEqual([...ids]);
  });

  test("pages through everything once, newest first, while more is written", async () => {
    const user = newUser();
    const written: string[] = [];
    for (let index = 0; index < 25; index++) {
      written.unshift((await write(user, { contents: `${index}` })).json<PostJson>().id);
    }
    const seen: string[] = [];
    const sizes: number[] = [];
    let query = "limit=7";
    for (;;) {
      const page = await list(user, query);
      seen.push(...idsOf(page));
      sizes.push(page.posts.length);
      if (page.nextCursor === null) break;
      query = `limit=7&cursor=${page.nextCursor}`;
      await write(user, { contents: "newer than the first page" });
    }
    expect(seen).toEqual(written);
    expect(sizes).toEqual([7, 7, 7, 4]);
  });

  test("may use the older path by POST alone, and look at the demo page", async () => {
    const user = newUser();
    const written = await post(fleet.gateway, `/api/v1/write_post/${user}`, { contents: "<b>x" });
    expect(written.status).toBe(201);
    expect(idsOf(await list(user))).toEqual([written.json<PostJson>().id]);
    const asked = await get(`/api/v1/write_post/${user}?contents=x`);
    expect(asked).toMatchObject({ status: 405, headers: { allow: "POST" } });
    const demo = await get(`/demo?user=${user}`);
    expect(demo.status).toBe(200);
    expect(demo.text).toMatch(/<dt>shard<\/dt><dd>[\w-]+/);
    expect(demo.text).toContain("&lt;b&gt;x");
  });
});

test("settings change while it runs: no restart, no request that fails", async () => {
  const before = await lives();
  expect(await changeSettings(fleet, newUser(), newUser())).toEqual(heededSettings);
  expect(await lives()).toEqual(before);
});

describe("bad input", () => {
  test("is refused with a code and a reason, stores nothing and hurts no process", async () => {
    const [user, other] = [newUser(), newUser()];
    await write(other, { contents: "1" });
    await write(other, { contents: "2" });
    const { nextCursor } = await list(other, "limit=1");
    const before = await lives();
    const all = [...badRequests(user), ...badCursors(other, nextCursor as string, user)];
    const refusals = await inParallel(all, (bad) => refusalOf(fleet.gateway, bad));
    expect(refusals).toEqual(all.map(wantedRefusal));
    expect((await list(user)).posts).toEqual([]);
    expect((await list(other)).posts).toHaveLength(2);
    expect(await lives()).toEqual(before);
    expect(errorsLogged()).toEqual([]);
  });

  test("a URL that leads inside is refused, and nothing behind it is ever shown", async () => {
    const user = newUser();
    const before = await lives();
    const all = badUrls(user, site.url);
    const refusals = await inParallel(all, (bad) => refusalOfUrl(fleet.gateway, bad));
    expect(refusals).toEqual(all.map(wantedRefusal));
    expect((await list(user)).posts.filter(({ preview }) => preview !== undefined)).toEqual([]);
    expect(await lives()).toEqual(before);
    expect(errorsLogged()).toEqual([]);
  });

  test("a country database that is missing or cut short is told, until a whole one is there", async () => {
    const database = join(folder, "country.mmdb");
    const whole = countryFile([["192.0.2.0/24", "KR"]], 0);
    const settings = { database };
    await using copy = await runByHand({
      fleet,
      service: "geoip",
      name: "geoip-by-hand",
      settings,
    });
    const ask = () => call(`http://127.0.0.1:${copy.port}`, "/api/v1/geoip/192.0.2.1");
    const told = async (reason: string) => {
      await until(`"${reason}"`, soonMs, async () => (await ask()).text.includes(reason));
      expect(await ask()).toMatchObject({ status: 503, code: "POSTS_GEOIP_UNAVAILABLE" });
    };
    await told("its file is missing");
    writeFileSync(database, whole.subarray(0, 100));
    await told("its file is truncated");
    writeFileSync(database, whole);
    await until("an answer", soonMs, async () => (await ask()).status === 200);
    expect((await ask()).json()).toEqual({ ip: "192.0.2.1", country: "KR" });
    expect(await copy.end("SIGTERM")).toBe(0);
  });

  test("a page of another origin, another's name and no token are refused on admin ports", async () => {
    const { instances } = await fleet.status();
    const adminPort = instances.find(({ name }) => name === "posts-1")?.adminPort;
    const doors = [
      [fleet.console, "POST", "/api/kill"],
      [fleet.console, "GET", "/api/state.json"],
      [fleet.admin, "POST", "/v1/kill"],
      [fleet.admin, "GET", "/v1/state"],
      [`http://127.0.0.1:${adminPort}`, "GET", "/metrics"],
    ] as const;
    const authorization = `Bearer ${fleet.token}`;
    const before = await lives();
    for (const [base, method, path] of doors) {
      const knock = (headers: Record<string, string>) =>
        call(base, path, {
          method,
          headers: { "content-type": "application/json", ...headers },
          ...(method === "POST" ? { body: '{"instance":"posts-1"}' } : {}),
        });
      const port = new URL(base).port;
      expect([path, await knock({ authorization, origin: "http://evil.example" })]).toMatchObject([
        path,
        { status: 403, code: "TENFOLD_FLEET_ORIGIN_REFUSED" },
      ]);
      expect([path, await knock({ authorization, host: `evil.example:${port}` })]).toMatchObject([
        path,
        { status: 403, code: "TENFOLD_FLEET_HOST_REFUSED" },
      ]);
      for (const headers of [{}, { authorization: "Bearer guess" }]) {
        expect([path, await knock(headers)]).toMatchObject([
          path,
          { status: 401, code: "TENFOLD_FLEET_TOKEN_REFUSED" },
        ]);
      }
    }
    expect(await lives()).toEqual(before);
  });
});

/** Lines of the fleet's logs that tell of something nobody foresaw. */
function errorsLogged(): string[] {
  const logs = join(dataFolder, "logs");
  return readdirSync(logs)
    .filter((name) => !name.startsWith("pg-"))
    .flatMap((name) => readFileSync(join(logs, name), "utf8").split("\n"))
    .filter((line) => line.includes('"level":"error"'));
}

test("a broken placement never takes effect, a sound one does at once", async () => {
  await using operator = await placementOperator(fleet);
  const map = await operator.current();
  const users = Array.from({ length: 8 }, newUser);
  const serves = async (): Promise<readonly PlaceOfUser[]> => {
    const written = await inParallel(users, (user) => write(user, { contents: "1" }));
    expect(written.map(({ status }) => status)).toEqual(users.map(() => 201));
    return await inParallel(users, (user) => placeOfUser(fleet.gateway, user));
  };
  const before = await serves();
  for (const [why, json] of badPlacements(map)) {
    const refused = operator.refusals();
    await operator.write(json);
    await until(`${why} to be refused`, soonMs, () => operator.refusals() > refused);
    expect([why, await serves()]).toEqual([why, before]);
  }
  const finer = finerSlotMap(map, map.slots * 2);
  await operator.write(encodeSlotMap(finer));
  await until("twice the slots", soonMs, async () =>
    (await serves()).every(({ slot, shard }, at) => {
      const { slot: was, shard: stays } = before[at] as PlaceOfUser;
      return shard === stays && slot >>> 1 === was;
    }),
  );
  await operator.write(encodeSlotMap({ ...map, version: finer.version + 1 }));
});

describe("a process that is shot", () => {
  test.each(["posts-1", "queue-posts"])("%s costs no write and no read", async (victim) => {
    const user = newUser();
    const before = (await fleet.status()).instances.find(({ name }) => name === victim);
    const answers = await writeThrough(
      (contents, key) => write(user, { contents }, key),
      () => fleet.kill(victim),
      victim === "queue-posts" ? { againAfter: 503 } : {},
    );
    expect(answers.map(({ status, text }) => (status === 201 ? 201 : text))).toEqual(
      answers.map(() => 201),
    );
    const ids = answers.map((answer) => answer.json<PostJson>().id);
    expect(new Set(ids).size).toBe(ids.length);
    const newestFirst = ids.toSorted((a, b) => (BigInt(a) > BigInt(b) ? -1 : 1));
    expect(await listAll(user)).toEqual(newestFirst);
    const reads = await inParallel(ids, (id) => get(`/api/v1/posts/${user}/${id}`));
    expect(reads.filter(({ status }) => status !== 200)).toEqual([]);
    await fleet.waitReady(victim, { afterPid: before?.pid as number });
  });

  test("a rolling restart and a copy that comes and goes cost no request", async () => {
    const options = { ...trafficDefaults, gateway: fleet.gateway, users: 50, firstUser: 500_000 };
    const traffic = startTraffic({ ...options, perSecond: 40 });
    try {
      const before = await lives();
      await fleet.restart("posts");
      const after = await lives();
      for (const [index, { name, pid }] of before.entries()) {
        expect([name, after[index]?.pid === pid]).toEqual([name, !name.startsWith("posts-")]);
      }
      await using copy = await runByHand({ fleet, service: "guid", name: "guid-by-hand" });
      await until("calls of the copy", soonMs, async () => {
        const metrics = await readMetrics(copy.adminPort, fleet.token);
        return servedRequests(metrics, "GET /api/v1/guid") > 3;
      });
      expect(await copy.end("SIGTERM")).toBe(0);
    } finally {
      await traffic.stop();
    }
    const { sent, answered, written, ...findings } = traffic.report();
    expect(findings).toEqual({
      resent: 0,
      failed: 0,
      missed: 0,
      disordered: 0,
      repeated: 0,
      misshapen: 0,
      skipped: 0,
      samples: [],
    });
    expect(answered).toBe(sent);
    expect(written).toBeGreaterThan(20);
  });
});

describe("the fleet as a whole", () => {
  test("a second start on its folder, or on its ports, is refused and leaves nothing", async () => {
    const before = await lives();
    const fleetFile = join(folder, "allowing.mjs");
    expect(await failedStart(fleetFile, dataFolder, fleet.portsFrom)).toEqual({
      exitCode: 1,
      code: "TENFOLD_FLEET_ALREADY_RUNNING",
    });
    const elsewhere = join(folder, "elsewhere");
    expect(await failedStart(fleetFile, elsewhere, fleet.portsFrom)).toEqual({
      exitCode: 1,
      code: "TENFOLD_FLEET_PORT_TAKEN",
    });
    expect(leftBehind(elsewhere)).toEqual([]);
    expect(existsSync(join(elsewhere, "token"))).toBe(false);
    expect(await lives()).toEqual(before);
  });

  test("ends with its supervisor, finds its data, drains on SIGTERM, begins anew", async () => {
    const user = newUser();
    const { id } = (await write(user, { contents: "stays" })).json<PostJson>();
    expect(leftBehind(folder).length).toBeGreaterThan(20);
    await fleet.kill("guid-1", "SIGSTOP");
    await fleet.killSupervisor();
    await until("its processes to end", soonMs, () => leftBehind(folder).length === 0);

    fleet = await startFleet({ fleetFile: join(folder, "allowing.mjs"), dataFolder });
    expect(idsOf(await list(user))).toEqual([id]);

    const underWay = await slowWrite(fleet, user);
    await fleet.stop();
    expect((await underWay.answer).status).toBe(201);
    expect(leftBehind(folder)).toEqual([]);

    fleet = await startFleet({ fleetFile: smallFleetFile(folder), dataFolder, fresh: true });
    expect((await list(user)).posts).toEqual([]);
    expect((await write(user, { contents: "new" })).status).toBe(201);
    await fleet.stop();
    expect(leftBehind(folder)).toEqual([]);
  }, 900_000);
});
