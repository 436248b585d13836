import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { root } from "../architecture/tree.ts";
import { exampleOf } from "../proof/example.ts";

const readers = ["README.md", "docs/guides/calls-that-survive.md"] as const;
const block = /<!-- (examples\/[\w-]+\.ts) -->\n[\s\S]*?<!-- end -->/g;

/** Pages that show examples: the code between the marks is the file that the tests run. */
export function readmeTexts(): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const page of readers) {
    const path = join(root, page);
    if (!existsSync(path)) continue;
    const text = readFileSync(path, "utf8").replace(block, (_whole, file: string) => {
      const { code, expected } = exampleOf(readFileSync(join(root, file), "utf8"));
      return [
        `<!-- ${file} -->`,
        `\`\`\`ts\n${code.trim()}\n\`\`\``,
        `\`\`\`text\n${expected.join("\n")}\n\`\`\``,
        "<!-- end -->",
      ].join("\n");
    });
    texts.set(page, text);
  }
  return texts;
}
