import { defineSettings, type Settings } from "tenfold/flags";

/** What may be changed while the posts service runs: `npx tenfold settings list`. */
export const postsSettings = defineSettings({
  "posts.previews": {
    kind: "boolean",
    default: true,
    description: "Whether a post with a URL gets a preview of its page. Off spares scrap.",
  },
  "posts.previewDeadlineMs": {
    kind: "number",
    default: 2_500,
    min: 100,
    max: 4_000,
    description: "How long a writer waits for a preview; then the post goes without.",
  },
  "posts.pageMax": {
    kind: "number",
    default: 100,
    min: 1,
    max: 100,
    description: "The most posts on a page. Who asks for more gets so many, and the next cursor.",
  },
});

export type PostsSettings = Pick<Settings<typeof postsSettings>, "current">;
