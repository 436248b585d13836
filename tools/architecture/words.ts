import type { Tree } from "./tree.ts";

interface BannedWord {
  readonly pattern: RegExp;
  readonly advice: string;
}

/** This file and its test name the words in order to ban them. */
const self = /^tools\/architecture(\/words\.ts|\.test\.ts)$/;

export const bannedWords: readonly BannedWord[] = [
  { pattern: /\b(TODO|FIXME|XXX)\b/, advice: "finish it, or leave it out" },
  {
    pattern: /(^|[\s"'`(=:])\/((root|work)\/[\w.-]|(home|Users)\/[\w.-]+\/)/,
    advice: "no path of anyone's machine; derive it from the file's place or a setting",
  },
  {
    pattern: /https?:\/\/[\w.-]*(registry|npmmirror|artifactory|verdaccio)/i,
    advice: "no registry address",
  },
  {
    pattern: /\b(colleagues?|teammates?|sub-?agents?|the brief)\b/i,
    advice: "speak of the project alone",
  },
  { pattern: /\b(issue|ticket) #?\d+\b/i, advice: "say what it is, not its number" },
  {
    pattern: /\b(chat ?gpt|claude|anthropic|openai|copilot)\b/i,
    advice: "speak of the project alone",
  },
];

/** Words that do not belong into a tracked file. */
export function wordViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const [path, text] of tree.texts) {
    if (self.test(path)) continue;
    for (const { pattern, advice } of bannedWords) {
      for (const [index, line] of text.split("\n").entries()) {
        const word = pattern.exec(line)?.[0];
        if (word !== undefined)
          found.push(`${path}:${index + 1} says "${word.trim()}": ${advice}.`);
      }
    }
  }
  return found;
}

/** The lockfile names versions and checksums; where they come from is the reader's npm's affair. */
export function lockfileViolations(tree: Tree): string[] {
  const lock = tree.texts.get("package-lock.json");
  if (lock === undefined) return ["package-lock.json is missing: run npm install and commit it."];
  const { packages } = JSON.parse(lock) as {
    packages: Record<string, { resolved?: string; link?: boolean }>;
  };
  return Object.entries(packages)
    .filter(([, { resolved, link }]) => resolved !== undefined && link !== true)
    .map(
      ([name]) =>
        `package-lock.json: ${name} carries an address; npm run in this folder leaves it out.`,
    );
}
