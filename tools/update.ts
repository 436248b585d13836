// `npm run update`: writes the API text, the reference pages and the README's examples anew.
import { drift, generatedTexts, update } from "./generated/generated-texts.ts";

const check = process.argv.includes("--check");
const texts = await generatedTexts();
const changed = check ? drift(texts) : update(texts);
for (const path of changed) console.log(`${check ? "out of date" : "wrote"}: ${path}`);
console.log(`${texts.size} generated files, ${changed.length} ${check ? "stale" : "changed"}`);
if (check && changed.length > 0) process.exitCode = 1;
