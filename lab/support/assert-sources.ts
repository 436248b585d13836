/**
 * Fails loudly when `tenfold/*` means built output: an experiment would then measure yesterday's
 * code. Node forgets `--conditions` when a script is spawned without it.
 */
export function assertSources(resolve: (specifier: string) => string = resolveHere): void {
  const path = resolve("tenfold/runtime");
  if (path.endsWith("/src/runtime/index.ts")) return;
  throw new Error(
    `tenfold/runtime is ${path}, not the sources. Run node with --conditions=tenfold:source.`,
  );
}

function resolveHere(specifier: string): string {
  return import.meta.resolve(specifier);
}
