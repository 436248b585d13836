import { type Article, redirects } from "./articles.ts";
import { encodeText } from "./encode-text.ts";

const style = `
  :root { color-scheme: light dark;
    --ink: #1c1f26; --paper: #faf9f6; --line: #d9d5cc; --mark: #0b6e6e }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e8e6e1; --paper: #16181d; --line: #353942; --mark: #5cc8c8 }
  }
  body { font: 17px/1.6 system-ui, sans-serif; color: var(--ink); background: var(--paper);
    max-width: 44rem; margin: 3rem auto; padding: 0 1.25rem }
  a { color: var(--mark); text-decoration: none } a:hover { text-decoration: underline }
  ul { list-style: none; padding: 0 } li { padding: .8rem 0; border-top: 1px solid var(--line) }
  small { display: block; opacity: .7 }
  img { width: 100%; border-radius: 8px }`;

/** The page as its bytes go out. */
export function renderArticle(article: Article): Uint8Array {
  const { charset } = article;
  const html = articleHtml(article);
  return charset === undefined ? new TextEncoder().encode(html) : encodeText(html, charset);
}

export function contentTypeOf({ charset, charsetIn }: Article): string {
  return charsetIn === "meta" ? "text/html" : `text/html; charset=${charset ?? "utf-8"}`;
}

function articleHtml(article: Article): string {
  const { author, description, lang, openGraph = true, path, title } = article;
  const property = (name: string, content: string): string =>
    `<meta property="${name}" content="${escapeHtml(content)}">`;
  const head = [
    `<meta charset="${article.charset ?? "utf-8"}">`,
    `<title>${escapeHtml(title)}</title>`,
    `<meta name="description" content="${escapeHtml(description)}">`,
    ...(openGraph
      ? [
          property("og:title", title),
          property("og:description", description),
          property("og:type", "article"),
          property("og:url", path),
          property("og:image", `/images${path}`),
          ...(author === undefined ? [] : [property("article:author", author)]),
        ]
      : []),
  ];
  const picture = openGraph ? `<img src="/images${path}" alt="">` : "";
  const body = `<p><a href="/">All pages</a></p>${picture}
<h1>${escapeHtml(title)}</h1><p>${escapeHtml(description)}</p>
${author === undefined ? "" : `<p><small>${escapeHtml(author)}</small></p>`}`;
  return document(lang, head, body);
}

/** The list of all pages, with what each is good for. */
export function renderIndex(articles: readonly Article[]): string {
  const items = articles.map(
    ({ lang, path, shows, title }) =>
      `<li><a href="${path}" lang="${lang}" dir="auto">${escapeHtml(title)}</a>` +
      `<small>${escapeHtml(shows)} · ${path}</small></li>`,
  );
  const moved = Object.keys(redirects).map(
    (path) => `<li><a href="${path}">${path}</a><small>Redirects</small></li>`,
  );
  const head = [`<meta charset="utf-8">`, "<title>Pages to link to</title>"];
  const body = `<h1>Pages to link to</h1>
<p>A small site with previews in several scripts and encodings. Post a link to one of them.</p>
<ul>${[...items, ...moved].join("\n")}</ul>`;
  return document("en", head, body);
}

/** A picture for a page: two hills and a sun, coloured by its path. */
export function renderImage(path: string): string {
  let hue = 0;
  for (const character of path) hue = (hue * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 315">
<rect width="600" height="315" fill="hsl(${hue} 55% 82%)"/>
<circle cx="440" cy="110" r="48" fill="hsl(${(hue + 40) % 360} 85% 68%)"/>
<path d="M0 250 Q150 130 320 245 T600 220 V315 H0 Z" fill="hsl(${hue} 40% 55%)"/>
<path d="M0 285 Q220 205 400 280 T600 270 V315 H0 Z" fill="hsl(${hue} 45% 36%)"/>
</svg>
`;
}

function document(lang: string, head: readonly string[], body: string): string {
  const direction = lang === "ar" ? ' dir="rtl"' : "";
  const viewport = `<meta name="viewport" content="width=device-width, initial-scale=1">`;
  return `<!doctype html>
<html lang="${lang}"${direction}>
<head>
${[...head, viewport, `<style>${style}\n</style>`].join("\n")}
</head>
<body>
${body}
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
