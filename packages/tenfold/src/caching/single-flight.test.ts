import { expect, test } from "vitest";
import { singleFlight } from "./single-flight.ts";

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

test("a hundred callers, one load, one result each", async () => {
  const flights = singleFlight<number>();
  const gate = deferred<number>();
  let loads = 0;
  const load = () => {
    loads += 1;
    return gate.promise;
  };
  const waiting = Array.from({ length: 100 }, () => flights.run("k", load));
  await Promise.resolve();
  gate.resolve(7);
  expect(await Promise.all(waiting)).toEqual(Array(100).fill(7));
  expect(loads).toBe(1);
  expect(flights.size).toBe(0);
});

test("a failure is shared and not remembered", async () => {
  const flights = singleFlight<number>();
  const failing = () => Promise.reject(new Error("down"));
  const both = await Promise.allSettled([flights.run("k", failing), flights.run("k", failing)]);
  expect(both.map((one) => one.status)).toEqual(["rejected", "rejected"]);
  expect(await flights.run("k", () => Promise.resolve(1))).toBe(1);
});

test("a load that throws at once fails as one that rejects", async () => {
  const flights = singleFlight<number>();
  const load = (): Promise<number> => {
    throw new Error("at once");
  };
  await expect(flights.run("k", load)).rejects.toThrow("at once");
  expect(flights.size).toBe(0);
});

test("one waiter that leaves does not end the load of the others", async () => {
  const flights = singleFlight<number>();
  const gate = deferred<number>();
  const impatient = new AbortController();
  let loadSignal: AbortSignal | undefined;
  const load = (signal: AbortSignal) => {
    loadSignal = signal;
    return gate.promise;
  };
  const left = flights.run("k", load, { signal: impatient.signal });
  const stays = flights.run("k", load, { signal: new AbortController().signal });
  await Promise.resolve();
  impatient.abort();
  await expect(left).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
  expect(loadSignal?.aborted).toBe(false);
  gate.resolve(1);
  expect(await stays).toBe(1);
});

test("the last waiter that leaves aborts the load; the next caller starts anew", async () => {
  const flights = singleFlight<number>();
  const gate = deferred<number>();
  const only = new AbortController();
  let loadSignal: AbortSignal | undefined;
  const load = (signal: AbortSignal) => {
    loadSignal = signal;
    return gate.promise;
  };
  const left = flights.run("k", load, { signal: only.signal });
  await Promise.resolve();
  only.abort();
  await expect(left).rejects.toMatchObject({ code: "TENFOLD_ABORTED" });
  expect(loadSignal?.aborted).toBe(true);
  const next = flights.run("k", () => Promise.resolve(2));
  gate.reject(new Error("aborted"));
  expect(await next).toBe(2);
});

test("refuses more keys than its limit, and lets callers join what is under way", async () => {
  const flights = singleFlight<number>({ flightsMax: 1 });
  const gate = deferred<number>();
  const first = flights.run("a", () => gate.promise);
  await expect(flights.run("b", () => gate.promise)).rejects.toMatchObject({
    code: "TENFOLD_CACHING_FLIGHTS_EXCEEDED",
    retryable: true,
  });
  const joined = flights.run("a", () => gate.promise);
  gate.resolve(3);
  expect(await Promise.all([first, joined])).toEqual([3, 3]);
});
