import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

/**
 * A picture of a running console:
 * `node packages/console/dev/screenshot.ts URL OUT.png [--width 1280] [--height 800] [--dark]
 * [--full] [--maps] [--hover posts-2]`. The URL carries the token: `http://127.0.0.1:8090/?token=…`.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    width: { type: "string", default: "1280" },
    height: { type: "string", default: "800" },
    dark: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    maps: { type: "boolean", default: false },
    hover: { type: "string" },
    browser: { type: "string", default: "/usr/bin/chromium" },
  },
});
const [url, file] = positionals;
if (url === undefined || file === undefined) {
  console.error("Usage: node packages/console/dev/screenshot.ts URL OUT.png [--full] [--dark]");
  process.exit(2);
}
const browser = await chromium.launch({
  executablePath: values.browser,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const problems: string[] = [];
try {
  const page = await browser.newPage({
    viewport: { width: Number(values.width), height: Number(values.height) },
    colorScheme: values.dark ? "dark" : "light",
  });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(url);
  await page.waitForSelector(".picture .node", { timeout: 15_000 });
  // The charts are drawn once the first state was laid out.
  await page.waitForSelector(".chart canvas");
  await page.waitForTimeout(1_500);
  if (values.maps) {
    await page.getByRole("link", { name: "Maps" }).click();
    await page.waitForSelector(".map .members");
  }
  if (values.hover) await page.getByLabel(new RegExp(`^${values.hover},`)).hover();
  await page.screenshot({ path: file, fullPage: values.full });
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  if (overflow > 0) problems.push(`The page is ${overflow} px wider than the window.`);
} finally {
  await browser.close();
}
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);
