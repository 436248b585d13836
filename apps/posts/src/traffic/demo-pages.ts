const paths = ["en/lighthouse", "ko/market", "ko/euc-kr", "ja/shift-jis", "emoji", "plain"];

/** Addresses of the demo's own pages, to write about without internet. @param site its origin */
export function demoPages(site: string): string[] {
  return paths.map((path) => new URL(path, `${site}/`).href);
}
