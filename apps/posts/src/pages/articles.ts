import type { LegacyCharset } from "./encode-text.ts";

/** One page of the site, in words; `render-page.ts` makes bytes of it. */
export interface Article {
  readonly path: string;
  readonly lang: string;
  readonly title: string;
  readonly description: string;
  readonly author?: string;
  /** Default UTF-8. */
  readonly charset?: LegacyCharset;
  /** Where the charset is said: in the content type (default), or only inside the page. */
  readonly charsetIn?: "header" | "meta";
  /** Without Open Graph there are only a title and a description. Default with. */
  readonly openGraph?: boolean;
  /** Answered after this long; default at once. */
  readonly delayMs?: number;
  /** What is worth trying here, for the list of pages. */
  readonly shows: string;
}

export const articles: readonly Article[] = [
  {
    path: "/en/lighthouse",
    lang: "en",
    title: "The lighthouse that kept two clocks",
    description: "One ran fast, one ran slow, and every ship came home on time.",
    author: "Maren Holt",
    shows: "English, UTF-8",
  },
  {
    path: "/ko/market",
    lang: "ko",
    title: "새벽 시장의 열 가지 소리",
    description: "문이 열리기 전, 가장 먼저 들리는 것은 얼음을 쏟는 소리다.",
    author: "김서연",
    shows: "Korean, UTF-8",
  },
  {
    path: "/ko/euc-kr",
    lang: "ko",
    title: "오래된 도서관의 한글 목록",
    description: "완성형 글자로 적힌 카드들이 아직 서랍 속에 남아 있다.",
    author: "박민준",
    charset: "euc-kr",
    shows: "Korean, EUC-KR named in the content type",
  },
  {
    path: "/ja/shift-jis",
    lang: "ja",
    title: "雨の日の路面電車",
    description: "終点まで乗ると、海のにおいがした。",
    author: "佐藤ひかり",
    charset: "shift_jis",
    charsetIn: "meta",
    shows: "Japanese, Shift_JIS named only inside the page",
  },
  {
    path: "/fr/windows-1252",
    lang: "fr",
    title: "L’été où l’on vendait la brume — 3 € le flacon",
    description: "Une « petite » histoire d’œufs, de naïveté et de mer.",
    author: "Chloé Lefèvre",
    charset: "windows-1252",
    charsetIn: "meta",
    shows: "French, windows-1252 named only inside the page",
  },
  {
    path: "/ar/garden",
    lang: "ar",
    title: "حديقة على سطح البيت",
    description: "زرعت جدتي النعناع في علب قديمة، فصار للصيف رائحة.",
    author: "ليلى حداد",
    shows: "Arabic, written from right to left",
  },
  {
    path: "/emoji",
    lang: "en",
    title: "A recipe in five pictures 🍅🧅🧄🫒🍝",
    description: "👩🏽‍🍳 Chop, stir, wait. Serve to a 👨‍👩‍👧‍👦 with 🍷.",
    author: "🦊 Fox",
    shows: "Emoji: joined sequences, skin tones",
  },
  {
    path: "/plain",
    lang: "en",
    title: "A page from before Open Graph",
    description: "It has a title and a description, and that is enough.",
    openGraph: false,
    shows: "No Open Graph: title and description tags only",
  },
  {
    path: "/slow",
    lang: "en",
    title: "Worth the wait",
    description: "This page takes two seconds to begin.",
    delayMs: 2_000,
    shows: "Answers after two seconds",
  },
];

/** Old addresses and where they lead. */
export const redirects: Readonly<Record<string, string>> = {
  "/moved": "/moved/again",
  "/moved/again": "/en/lighthouse",
};
