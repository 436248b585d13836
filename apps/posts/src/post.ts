import { invalidOption } from "tenfold/runtime";

/** What the page behind a post's URL says of itself; what it does not say is absent. */
export interface Preview {
  readonly title?: string;
  readonly url?: string;
  readonly type?: string;
  readonly image?: string;
  readonly description?: string;
  readonly author?: string;
}

/** A post. It never changes once it was accepted. */
export interface Post {
  /** Grows with time: the newest post of a user has the largest. */
  readonly id: bigint;
  readonly userId: bigint;
  readonly contents: string;
  readonly url?: string;
  readonly preview?: Preview;
  readonly createdAtMs: number;
}

const idDigits = 19;

/** Orders ids as text: decimal, padded to the 19 digits of a 63-bit number. */
export function sortKey(id: bigint): string {
  return id.toString().padStart(idDigits, "0");
}

/** A post as JSON, ids as strings. */
export function encodePost(post: Post): string {
  const { id, userId, ...rest } = post;
  return JSON.stringify({ id: id.toString(), userId: userId.toString(), ...rest });
}

/** @throws TENFOLD_OPTION_INVALID naming the field */
export function decodePost(json: string): Post {
  const value = JSON.parse(json) as Partial<Record<keyof Post, unknown>> | null;
  if (value === null || typeof value !== "object") throw invalidOption("post", "an object", value);
  const { contents, url, preview, createdAtMs } = value;
  if (typeof contents !== "string") throw invalidOption("post.contents", "a text", contents);
  if (url !== undefined && typeof url !== "string") throw invalidOption("post.url", "a text", url);
  if (typeof createdAtMs !== "number" || !Number.isSafeInteger(createdAtMs)) {
    throw invalidOption("post.createdAtMs", "a time in milliseconds", createdAtMs);
  }
  return {
    id: decodeId("post.id", value.id),
    userId: decodeId("post.userId", value.userId),
    contents,
    ...(url === undefined ? {} : { url }),
    ...(preview === undefined ? {} : { preview: decodePreview(preview) }),
    createdAtMs,
  };
}

const previewFields = ["title", "url", "type", "image", "description", "author"] as const;

function decodePreview(value: unknown): Preview {
  if (value === null || typeof value !== "object") {
    throw invalidOption("post.preview", "an object", value);
  }
  const fields = value as Readonly<Record<string, unknown>>;
  const preview: Partial<Record<(typeof previewFields)[number], string>> = {};
  for (const name of previewFields) {
    const text = fields[name];
    if (typeof text === "string") preview[name] = text;
  }
  return preview;
}

function decodeId(name: string, value: unknown): bigint {
  if (typeof value === "string" && /^\d{1,19}$/.test(value)) return BigInt(value);
  throw invalidOption(name, "a decimal number as text", value);
}
