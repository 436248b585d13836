import { AppError } from "./app-error.ts";

/** What a user may write. */
export interface PostInput {
  readonly contents: string;
  readonly url: string | undefined;
}

export const postLimits: {
  readonly contentsCharactersMax: number;
  readonly urlCharactersMax: number;
  readonly pageDefault: number;
  readonly pageMax: number;
} = Object.freeze({
  contentsCharactersMax: 2_000,
  urlCharactersMax: 2_048,
  pageDefault: 10,
  pageMax: 100,
});

const idMax = 2n ** 63n - 1n;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlCharacters = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/** A user or post id: a decimal number below 2^63, no sign, no leading zero. */
export function parseId(what: string, text: string): bigint {
  const id = /^(0|[1-9]\d{0,18})$/.test(text) ? BigInt(text) : -1n;
  if (id >= 0n && id <= idMax) return id;
  throw new AppError(
    "POSTS_ID_INVALID",
    `The ${what} id must be a whole number from 0 to ${idMax}; got "${text.slice(0, 30)}".`,
  );
}

/** @throws POSTS_INPUT_INVALID naming the field */
export function parsePostInput(body: unknown): PostInput {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalid('The body must be an object: {"contents": "…", "url": "…"}.');
  }
  const { contents, url, ...rest } = body as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw invalid(`There is no field "${unknown.slice(0, 40)}"; a post has contents and url.`);
  }
  if (typeof contents !== "string") throw invalid("contents must be a text.");
  const length = [...contents].length;
  if (contents.trim() === "" || length > postLimits.contentsCharactersMax) {
    const { contentsCharactersMax: max } = postLimits;
    throw invalid(`contents must have 1 to ${max} characters, not only blanks; got ${length}.`);
  }
  if (controlCharacters.test(contents) || !contents.isWellFormed()) {
    throw invalid("contents has control characters or broken Unicode.");
  }
  return { contents, url: url === undefined || url === null ? undefined : parseUrl(url) };
}

/** @throws POSTS_INPUT_INVALID */
export function parseLimit(text: string | null): number {
  if (text === null) return postLimits.pageDefault;
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= postLimits.pageMax) return limit;
  throw invalid(`limit must be a whole number from 1 to ${postLimits.pageMax}.`);
}

function parseUrl(url: unknown): string {
  const { urlCharactersMax: max } = postLimits;
  const parsed = typeof url === "string" && url.length <= max ? URL.parse(url) : null;
  // Percent-encoding makes it longer, and this form is what is stored and sent on.
  if (parsed === null || parsed.href.length > max) {
    throw invalid(`url must be an absolute http or https URL of up to ${max} characters, encoded.`);
  }
  const { protocol, href } = parsed;
  if (protocol !== "http:" && protocol !== "https:") {
    throw invalid(`url must begin with http:// or https://; got ${protocol.slice(0, 20)}`);
  }
  return href;
}

function invalid(message: string): AppError {
  return new AppError("POSTS_INPUT_INVALID", message);
}
