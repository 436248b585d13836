import { defineConfig } from "vite";

/** `vite build packages/console` puts the page where the program serves it from. */
export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  build: {
    outDir: "../cli/assets",
    emptyOutDir: true,
    target: "es2023",
    // The page's content security policy allows no inline script.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});
