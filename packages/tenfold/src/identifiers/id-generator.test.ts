import fc from "fast-check";
import { expect, test } from "vitest";
import { parseId } from "./id-codec.ts";
import { idGenerator } from "./id-generator.ts";
import { shardedLayout, simpleKeyWorkerLayout, snowflakeLayout } from "./known-layouts.ts";
import { idLayout } from "./layout.ts";
import { shardedIdGenerator } from "./sharded-ids.ts";
import { formatShortId, parseShortId } from "./short-id.ts";

const start = Date.UTC(2026, 2, 1);
const ahead = expect.objectContaining({ code: "TENFOLD_IDENTIFIERS_AHEAD" });

test("two million ids of one generator, in order, none twice", () => {
  const ids = idGenerator(snowflakeLayout(), { fields: { worker: 5 } });
  let last = -1n;
  for (let call = 0; call < 2_000_000; call++) {
    const id = ids.next(start + (call >> 12));
    if (id <= last) throw new Error(`${id} came after ${last}`);
    last = id;
  }
  expect(ids.borrowed).toBe(0);
});

const layouts = [
  snowflakeLayout(),
  simpleKeyWorkerLayout,
  idLayout({ name: "wide", epochMs: start, bits: { time: 41, worker: 2, sequence: 20 } }),
  idLayout({ name: "small", epochMs: start, bits: { time: 20, worker: 1, sequence: 3 } }),
];

test("bigint, decimal and short form are the same ids, and all sort alike", () => {
  const calls = fc.array(fc.tuple(fc.nat(40), fc.constantFrom(0, 1, 2), fc.nat(5_000)), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(fc.constantFrom(...layouts), calls, (layout, steps) => {
      const options = { fields: { worker: 1 }, aheadMsMax: 1e9 };
      const [made, model] = [idGenerator(layout, options), idGenerator(layout, options)];
      let wallMs = start;
      let short = "";
      for (const [later, form, count] of steps) {
        wallMs += later;
        for (let call = 0; call <= count; call++) {
          const id = model.next(wallMs);
          const id2 =
            form === 0
              ? made.next(wallMs)
              : form === 1
                ? parseId(made.nextDecimal(wallMs))
                : parseShortId(made.nextShort(wallMs));
          if (id !== id2) throw new Error(`${id} and ${id2}`);
          const text = formatShortId(id);
          if (!(short < text)) throw new Error(`${text} sorts before ${short}`);
          short = text;
        }
      }
    }),
    { numRuns: 15 },
  );
}, 30_000);

test("runs are the ids that would have come one by one, and fewer when time is short", () => {
  const calls = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 20_000 })), {
    minLength: 1,
    maxLength: 10,
  });
  fc.assert(
    fc.property(fc.constantFrom(...layouts), calls, (layout, steps) => {
      const options = { fields: { worker: 1 }, aheadMsMax: 4_000 };
      const [taken, model] = [idGenerator(layout, options), idGenerator(layout, options)];
      let wallMs = start;
      for (const [later, count] of steps) {
        wallMs += later;
        const next = () => {
          try {
            return model.next(wallMs);
          } catch (error) {
            expect(error).toEqual(ahead);
            return undefined;
          }
        };
        const expected: bigint[] = [];
        for (let id = next(); id !== undefined; id = next()) {
          expected.push(id);
          if (expected.length === count) break;
        }
        const took = () =>
          taken
            .take(count, wallMs)
            .flatMap((run) => Array.from({ length: run.count }, (_, i) => run.first + BigInt(i)));
        if (expected.length === 0) expect(took).toThrow(ahead);
        else expect(took()).toEqual(expected);
        expect(taken.borrowed).toBe(model.borrowed);
      }
    }),
    { numRuns: 30 },
  );
}, 30_000);

test.each([0, -1, 1.5, Number.NaN, 1_000_001])("take refuses %d", (count) => {
  const ids = idGenerator(snowflakeLayout(), { fields: { worker: 0 } });
  expect(() => ids.take(count, start)).toThrow(
    expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" }),
  );
});

test("a layout of seconds keeps windows apart in the middle of a second", () => {
  const before = idGenerator(simpleKeyWorkerLayout, { fields: { worker: 3 } });
  const middle = start + 500;
  const last = before.next(start + 400, middle);
  const after = idGenerator(simpleKeyWorkerLayout, { fields: { worker: 3 }, afterMs: middle - 1 });
  expect(after.next(start + 600) > last).toBe(true);
  expect(simpleKeyWorkerLayout.decode(after.next(start + 600)).timeMs).toBe(start + 1_000);
});

test("sharded ids tell their slot, grow within it, and differ everywhere", () => {
  const layout = shardedLayout();
  const calls = fc.array(fc.tuple(fc.integer({ min: -3, max: 3 }), fc.nat(8_191)), {
    minLength: 1,
    maxLength: 400,
  });
  fc.assert(
    fc.property(calls, fc.nat(63), fc.nat(40), (steps, worker, many) => {
      const ids = shardedIdGenerator(layout, { fields: { worker }, afterMs: start - 1 });
      const last = new Map<number, bigint>();
      const seen = new Set<bigint>();
      let wallMs = start;
      for (const [later, slot] of steps) {
        wallMs += later;
        for (let call = 0; call <= many; call++) {
          const id = ids.next(slot, wallMs);
          if (seen.has(id) || id <= (last.get(slot) ?? -1n)) throw new Error(`${id} again`);
          seen.add(id);
          last.set(slot, id);
          const parts = layout.decode(id);
          if (parts.slot !== slot || parts.worker !== worker) throw new Error(`${id} in ${slot}`);
          if (parts.timeMs < start) throw new Error("before its first time");
        }
      }
      expect(ids.lastMs).toBe(Math.max(...[...seen].map((id) => layout.decode(id).timeMs)));
    }),
    { numRuns: 50 },
  );
});

test("one busy slot borrows time and leaves the others theirs", () => {
  const layout = shardedLayout();
  const ids = shardedIdGenerator(layout, { fields: { worker: 0 }, aheadMsMax: 9 });
  for (let call = 0; call < 80; call++) ids.next(1, start);
  expect(() => ids.next(1, start)).toThrow(ahead);
  expect(layout.decode(ids.next(2, start)).timeMs).toBe(start);
  expect(ids.borrowed).toBe(72);
  const wrongSlot = expect.objectContaining({ code: "TENFOLD_OPTION_INVALID" });
  for (const slot of [-1, 8_192, 0.5]) expect(() => ids.next(slot, start)).toThrow(wrongSlot);
  expect(() => shardedIdGenerator(layout)).toThrow(wrongSlot);
  expect(() => shardedIdGenerator(layout, { field: "shard" })).toThrow(wrongSlot);
});
