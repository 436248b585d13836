import type { Post } from "./post.ts";
import type { PostSource } from "./post-reader.ts";

export interface DemoPage {
  readonly userId: bigint;
  readonly slot: number;
  readonly shard: string;
  /** The instance that answered. */
  readonly instance: string;
  readonly rows: readonly { readonly post: Post; readonly source: PostSource }[];
  readonly nextCursor: string | null;
}

const explanations: Readonly<Record<PostSource, string>> = {
  cache: "from this process's near cache",
  pending: "accepted and durable in the queue, not yet in its shard",
  shard: "read from the shard's primary",
};

/** A page for people: what a user wrote, and which part of the fleet served each post. */
export function demoPage({ userId, slot, shard, instance, rows, nextCursor }: DemoPage): string {
  const items = rows.map(
    ({ post, source }) => `<li>
      <p>${escapeHtml(post.contents)}</p>${preview(post)}
      <small><b class="${source}">${source}</b> ${explanations[source]} · id ${post.id} ·
      ${new Date(post.createdAtMs).toISOString()}</small></li>`,
  );
  const next =
    nextCursor === null
      ? ""
      : `<a href="${escapeHtml(olderPage(userId, nextCursor))}">older posts</a>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>User ${userId} · Tenfold posts</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }
  dl { display: grid; grid-template-columns: auto 1fr; gap: .2rem 1rem; }
  dd { margin: 0; font-variant-numeric: tabular-nums; }
  ul { list-style: none; padding: 0; }
  li { border-top: 1px solid #8884; padding: .6rem 0; overflow-wrap: anywhere; }
  p { margin: 0; white-space: pre-wrap; }
  blockquote { margin: .4rem 0; padding-left: .8rem; border-left: 3px solid #8886; }
  b { padding: 0 .4rem; border-radius: .3rem; color: #fff; }
  .cache { background: #1a7f37; } .pending { background: #9a6700; } .shard { background: #0969da; }
</style></head><body>
<h1>Posts of user ${userId}</h1>
<form action="/demo"><label>User <input name="user" value="${userId}" inputmode="numeric"></label>
<button>Show</button></form>
<dl><dt>slot</dt><dd>${slot}</dd><dt>shard</dt><dd>${escapeHtml(shard)}</dd>
<dt>answered by</dt><dd>${escapeHtml(instance)}</dd></dl>
<ul>${items.join("\n") || "<li>Nothing yet.</li>"}</ul>${next}
</body></html>
`;
}

function preview({ url, preview }: Post): string {
  if (url === undefined) return "";
  const title = preview?.title ?? url;
  const description =
    preview?.description === undefined ? "" : `<br>${escapeHtml(preview.description)}`;
  const link = `<a rel="nofollow noopener" href="${escapeHtml(url)}">${escapeHtml(title)}</a>`;
  return `<blockquote>${link}${description}</blockquote>`;
}

function olderPage(userId: bigint, cursor: string): string {
  return `/demo?user=${userId}&cursor=${encodeURIComponent(cursor)}`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
