/** How much each counter of an instance grew since it was last read. */
export interface Increments {
  /** First sight of the instance: the values count for totals, not for rates. */
  readonly initial: boolean;
  readonly grown: ReadonlyMap<string, number>;
}

export interface CounterLedger {
  /** @param incarnation differs for every process that ever ran under the instance's name */
  read(instance: string, incarnation: string, values: ReadonlyMap<string, number>): Increments;
}

export const counterLedgerDefaults: { readonly instancesMax: number } = Object.freeze({
  instancesMax: 1_000,
});

/**
 * Turns counters that begin again at zero with every restart into growth that is never negative.
 * A process is known as another one by its incarnation, or, where that is late, by a counter that
 * fell: then what it shows now is what it grew by.
 */
export function counterLedger(
  instancesMax: number = counterLedgerDefaults.instancesMax,
): CounterLedger {
  const lastSeen = new Map<string, { incarnation: string; values: ReadonlyMap<string, number> }>();
  return {
    read(instance, incarnation, values) {
      const last = lastSeen.get(instance);
      lastSeen.delete(instance);
      lastSeen.set(instance, { incarnation, values });
      if (lastSeen.size > instancesMax) lastSeen.delete(lastSeen.keys().next().value as string);
      if (last === undefined) return { initial: true, grown: values };
      const restarted = last.incarnation !== incarnation || fellAnywhere(last.values, values);
      const before = restarted ? new Map<string, number>() : last.values;
      const grown = new Map<string, number>();
      for (const [name, value] of values) grown.set(name, value - (before.get(name) ?? 0));
      return { initial: false, grown };
    },
  };
}

function fellAnywhere(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): boolean {
  for (const [name, value] of now) if (value < (before.get(name) ?? 0)) return true;
  return false;
}
