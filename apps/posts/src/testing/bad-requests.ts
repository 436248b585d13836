import type { HostilePath } from "./hostile-site.ts";
import type { HttpCall } from "./http-call.ts";

/** A request that must be refused with this status and code, and store nothing. */
export interface BadRequest {
  readonly name: string;
  readonly path: string;
  readonly call?: HttpCall;
  readonly status: number;
  readonly code: string;
}

const json = { "content-type": "application/json" };
const inputInvalid = { status: 400, code: "POSTS_INPUT_INVALID" };
const requestInvalid = { status: 400, code: "TENFOLD_FLEET_REQUEST_INVALID" };
const idInvalid = { status: 400, code: "POSTS_ID_INVALID" };
const cursorInvalid = { status: 400, code: "POSTS_CURSOR_INVALID" };
const urlRefused = { status: 422, code: "POSTS_URL_REFUSED" };
const pageRefused = { status: 422, code: "POSTS_PAGE_REFUSED" };
const typeRefused = { status: 415, code: "TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED" };
const wrongMethod = { status: 405, code: "TENFOLD_FLEET_METHOD_NOT_ALLOWED" };

const writing = (name: string, path: string, body: string, headers: object = json) => ({
  name,
  path,
  call: { method: "POST", headers: { ...headers }, body },
});

/** What a user may send by mistake or in bad faith, but for URLs. */
export function badRequests(user: number): readonly BadRequest[] {
  const posts = `/api/v1/posts/${user}`;
  const good = JSON.stringify({ contents: "must not be stored" });
  const body = (name: string, value: unknown) => writing(name, posts, JSON.stringify(value));
  const key = (value: string) => ({ ...json, "idempotency-key": value });
  const ids = ["-1", "abc", "1e3", "0x1", "%201", "9223372036854775808", "36893488147419103232"];
  return [
    ...ids.flatMap((id) => [
      { ...writing(`write as user ${id}`, `/api/v1/posts/${id}`, good), ...idInvalid },
      { name: `list of user ${id}`, path: `/api/v1/posts/${id}`, ...idInvalid },
      { name: `post ${id}`, path: `${posts}/${id}`, ...idInvalid },
    ]),
    {
      ...body("a body over the service's limit", { contents: "x".repeat(70_000) }),
      status: 413,
      code: "TENFOLD_FLEET_BODY_TOO_LARGE",
    },
    {
      ...body("a body over the gateway's limit", { contents: "x".repeat(1_100_000) }),
      status: 413,
      code: "TENFOLD_GATEWAY_BODY_TOO_LARGE",
    },
    { ...writing("broken JSON", posts, '{"contents":"x"'), ...requestInvalid },
    { ...writing("no body", posts, ""), ...requestInvalid },
    {
      ...writing("JSON of a thousand levels", posts, "[".repeat(1e3) + "]".repeat(1e3)),
      ...requestInvalid,
    },
    { ...writing("form data", posts, good, { "content-type": "text/plain" }), ...typeRefused },
    { ...writing("no content type", posts, good, {}), ...typeRefused },
    {
      ...writing("compressed", posts, good, { ...json, "content-encoding": "gzip" }),
      ...typeRefused,
    },
    ...[42, null, ["x"], { a: 1 }, true, "", " \n\t "].map((contents) => ({
      ...body(`contents ${JSON.stringify(contents)}`, { contents }),
      ...inputInvalid,
    })),
    ...[
      7,
      [],
      "no url",
      "ftp://example.com/",
      "javascript:alert(1)",
      `http://x/${"y".repeat(2_048)}`,
    ].map((url) => ({
      ...body(`url ${JSON.stringify(url).slice(0, 30)}`, { contents: "x", url }),
      ...inputInvalid,
    })),
    { ...body("no contents", {}), ...inputInvalid },
    { ...body("a list", [good]), ...inputInvalid },
    { ...body("an unknown field", { contents: "x", admin: true }), ...inputInvalid },
    { ...writing("a prototype", posts, '{"contents":"x","__proto__":{}}'), ...requestInvalid },
    { ...body("a control character", { contents: "a\u0007b" }), ...requestInvalid },
    { ...body("NUL", { contents: "a\u0000b" }), ...requestInvalid },
    { ...body("DEL", { contents: "a\u007fb" }), ...inputInvalid },
    { ...writing("half a surrogate pair", posts, '{"contents":"\\ud83d"}'), ...requestInvalid },
    { ...body("10 kB of emoji", { contents: "😀".repeat(2_500) }), ...inputInvalid },
    { ...writing("a key with blanks", posts, good, key("a b")), ...inputInvalid },
    { ...writing("a key too long", posts, good, key("k".repeat(101))), ...inputInvalid },
    ...["0", "-1", "101", "1.5", "abc", "", "99999999999999999999", "1e1"].map((limit) => ({
      name: `limit ${limit}`,
      path: `${posts}?limit=${limit}`,
      ...inputInvalid,
    })),
    { name: "a GET that would write", path: `/api/v1/write_post/${user}`, ...wrongMethod },
    { name: "no such address", path: "/api/v1/geoip/1.2.3", status: 400, code: "POSTS_IP_INVALID" },
    { name: "a page for nobody", path: "/demo?user=abc", ...idInvalid },
  ];
}

/** Cursors that nobody was given: a good one with one character changed, cut, doubled, moved. */
export function badCursors(user: number, cursor: string, other: number): readonly BadRequest[] {
  const changed = [0, 10, 21, 30, 42].map((at) => {
    const letter = cursor[at] === "A" ? "B" : "A";
    return cursor.slice(0, at) + letter + cursor.slice(at + 1);
  });
  const bad = [...changed, "", cursor.slice(1), cursor + cursor, "x".repeat(5_000), "%00", "42"];
  return [
    ...bad.map((text) => ({
      name: `cursor ${text.slice(0, 50)}`,
      path: `/api/v1/posts/${user}?cursor=${text}`,
      ...cursorInvalid,
    })),
    { name: "another's cursor", path: `/api/v1/posts/${other}?cursor=${cursor}`, ...cursorInvalid },
  ];
}

const insideUrls = [
  "http://127.0.0.1/",
  "http://localhost/",
  "http://127.1/",
  "http://2130706433/",
  "http://0x7f000001/",
  "http://0177.0.0.1/",
  "http://0.0.0.0/",
  "http://10.0.0.1/",
  "http://192.168.1.1/",
  "http://169.254.169.254/latest/meta-data/",
  "http://[::1]/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::ffff:7f00:1]/",
  "http://[64:ff9b::7f00:1]/",
  "http://[fe80::1]/",
  "http://[fd00::1]/",
  "http://user:password@127.0.0.1/",
  "http://127.0.0.1:18000/",
];

/** URLs that lead inside, or to pages that never end, by way of a write and of scrap itself. */
export function badUrls(
  user: number,
  hostile: (path: HostilePath) => string,
): readonly BadRequest[] {
  const urls = [
    ...insideUrls.map((url) => ({ url, ...urlRefused })),
    { url: hostile("/to-loopback"), ...urlRefused },
    { url: hostile("/to-metadata"), ...urlRefused },
    { url: hostile("/endless"), ...pageRefused },
    { url: hostile("/bomb"), ...pageRefused },
  ];
  return urls.flatMap(({ url, ...refused }) => [
    {
      ...writing(`write ${url}`, `/api/v1/posts/${user}`, JSON.stringify({ contents: "x", url })),
      ...refused,
    },
    { name: `scrap ${url}`, path: `/api/v1/scrap?url=${encodeURIComponent(url)}`, ...refused },
  ]);
}
