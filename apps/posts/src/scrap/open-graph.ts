import { Parser } from "htmlparser2";

import { urlLengthMax } from "./page-url.ts";

/** What a page says of itself, for a card that links to it; absent fields are left out. */
export interface Preview {
  readonly url: string;
  readonly title?: string;
  readonly type?: string;
  readonly image?: string;
  readonly description?: string;
  readonly author?: string;
}

/** How many code points of each field are kept. */
export const previewLengthMax: Readonly<
  Record<"title" | "type" | "description" | "author", number>
> = Object.freeze({ title: 300, type: 50, description: 1_000, author: 200 });

const parseStep = 16 * 1024;
/** A title longer than this is not read on; it is far above what is kept. */
const titleTextMax = 10_000;

/** The names under which a field stands in `<meta>`, best first. */
const metaNames = {
  url: ["og:url"],
  title: ["og:title"],
  type: ["og:type"],
  image: ["og:image", "og:image:url", "og:image:secure_url"],
  description: ["og:description", "description"],
  author: ["article:author", "author"],
} as const;
const knownNames: ReadonlySet<string> = new Set(Object.values(metaNames).flat());

/**
 * Reads the preview of a page from its head: Open Graph first, then `<title>`, description and
 * author. Addresses are resolved against the page; text is one line without control characters.
 *
 * Source: the Open Graph protocol, ogp.me; of repeated properties the first counts.
 */
export function readPreview(html: string, pageUrl: URL): Preview {
  const head = readHead(html);
  const first = (field: keyof typeof metaNames): string | undefined => {
    for (const name of metaNames[field]) {
      const content = head.meta.get(name);
      if (content !== undefined) return content;
    }
    return undefined;
  };
  const base = resolved(head.base, pageUrl) ?? pageUrl.href;
  const fields = {
    title: line(first("title") ?? head.title, previewLengthMax.title),
    type: line(first("type"), previewLengthMax.type),
    image: resolved(first("image"), base),
    description: line(first("description"), previewLengthMax.description),
    author: line(first("author"), previewLengthMax.author),
  };
  return { url: resolved(first("url"), base) ?? pageUrl.href, ...withoutAbsent(fields) };
}

interface Head {
  readonly meta: ReadonlyMap<string, string>;
  readonly title: string;
  readonly base: string | undefined;
}

function readHead(html: string): Head {
  const meta = new Map<string, string>();
  let title = "";
  let titleState: "before" | "inside" | "after" = "before";
  let base: string | undefined;
  let ended = false;
  const parser = new Parser({
    onopentag(name, attributes) {
      if (ended) return;
      if (name === "meta") {
        const key = (attributes.property ?? attributes.name ?? "").trim().toLowerCase();
        const content = attributes.content?.trim();
        if (content && knownNames.has(key) && !meta.has(key)) meta.set(key, content);
      } else if (name === "base") base ??= attributes.href;
      else if (name === "title" && titleState === "before") titleState = "inside";
      else if (name === "body") ended = true;
    },
    ontext(text) {
      if (titleState === "inside" && title.length < titleTextMax) title += text;
    },
    onclosetag(name) {
      if (name === "title" && titleState === "inside") titleState = "after";
      if (name === "head") ended = true;
    },
  });
  for (let at = 0; at < html.length && !ended; at += parseStep) {
    parser.write(html.slice(at, at + parseStep));
  }
  parser.end();
  return { meta, title, base };
}

/** One line of at most `pointsMax` code points; undefined when nothing is left. */
function line(text: string | undefined, pointsMax: number): string | undefined {
  if (text === undefined) return undefined;
  const clean = text
    .toWellFormed()
    .replace(/\s+/g, " ")
    // Controls, and the marks that turn the direction of text beyond their own field.
    .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "")
    .trim();
  return clean === "" ? undefined : wholePoints(clean, pointsMax);
}

function wholePoints(text: string, pointsMax: number): string {
  if (text.length <= pointsMax) return text;
  let kept = "";
  let points = 0;
  for (const point of text) {
    if (points === pointsMax) break;
    kept += point;
    points += 1;
  }
  return kept;
}

function resolved(text: string | undefined, base: URL | string): string | undefined {
  const url = text === undefined ? null : URL.parse(text, base.toString());
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined;
  if (url.username !== "" || url.password !== "" || url.href.length > urlLengthMax) {
    return undefined;
  }
  return url.href;
}

function withoutAbsent<T extends object>(
  fields: T,
): { readonly [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as { [Key in keyof T]?: Exclude<T[Key], undefined> };
}
