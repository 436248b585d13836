import type { Coordinator } from "../coordination/coordinator.ts";

/** Puts a value where there is none, and returns what then stands there. */
export async function putOnce(
  coordinator: Coordinator,
  key: string,
  value: string,
  signal: AbortSignal,
): Promise<string> {
  for (;;) {
    const result = await coordinator.transact(
      { when: [{ key, is: "absent" }], change: [{ put: key, value }], otherwiseRead: [key] },
      { signal },
    );
    if (result.outcome === "applied") return value;
    // Whether a lost answer was a yes shows when it is tried again.
    const [found] = result.outcome === "refused" ? result.reads : [];
    if (found !== undefined) return found.value;
  }
}
