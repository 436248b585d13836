import { expect, test } from "vitest";

import { decodeHtml } from "./decode-html.ts";

const bytes = (...parts: (string | number[])[]): Uint8Array =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));
/** "한글" in EUC-KR, "日本" in Shift_JIS, "é€" in windows-1252. */
const korean = [0xc7, 0xd1, 0xb1, 0xdb];
const japanese = [0x93, 0xfa, 0x96, 0x7b];
const western = [0xe9, 0x80];

test("by the content type, which wins over the page's own word", () => {
  expect(decodeHtml(bytes(korean), "EUC-KR")).toBe("한글");
  expect(decodeHtml(bytes(japanese), "x-sjis")).toBe("日本");
  expect(decodeHtml(bytes('<meta charset="shift_jis">', korean), "euc-kr")).toMatch(/한글$/);
});

test.each([
  ['<meta charset="euc-kr">', korean, "한글"],
  ["<META CHARSET=ks_c_5601-1987>", korean, "한글"],
  ["<meta http-equiv=content-type content='text/html; charset=Shift_JIS'>", japanese, "日本"],
  ["<!-- <meta charset=euc-kr> --><meta charset='windows-1252'>", western, "é€"],
  ["<meta charset=latin1>", western, "é€"],
])("by %s", (declaration, body, text) => {
  expect(decodeHtml(bytes(declaration, body))).toBe(declaration + text);
});

test("a byte order mark wins over everything", () => {
  expect(decodeHtml(bytes([0xef, 0xbb, 0xbf], "é"), "euc-kr")).toBe("é");
  expect(decodeHtml(bytes([0xff, 0xfe, 0x5c, 0xd5]), "euc-kr")).toBe("한");
  expect(decodeHtml(bytes([0xfe, 0xff, 0xd5, 0x5c]))).toBe("한");
});

test("UTF-8 when nothing is said, or what is said is unknown, late or impossible", () => {
  expect(decodeHtml(bytes("한글"))).toBe("한글");
  expect(decodeHtml(bytes("한글"), "klingon")).toBe("한글");
  const late = `${" ".repeat(1024)}<meta charset=euc-kr>한글`;
  expect(decodeHtml(bytes(late))).toBe(late);
  expect(decodeHtml(bytes("<meta charset=utf-16le>한글"))).toMatch(/한글$/);
});

test("bytes that do not fit are marked, a character cut off at the end is left out", () => {
  expect(decodeHtml(bytes("a", [0xff], "b"))).toBe("a\ufffdb");
  expect(decodeHtml(bytes("a한").subarray(0, 3))).toBe("a");
});
