import { expect, test } from "vitest";

import { etcdFaults, etcdFaultsOf } from "./known-faults.ts";

const numbers = (version: string): string[] =>
  etcdFaultsOf(version).map(({ issue }) => issue.replace("etcd-io/etcd#", ""));

test("every version has its own faults", () => {
  const later = ["22445", "22376"];
  expect(numbers("3.4.23")).toHaveLength(etcdFaults.length - 1);
  expect(numbers("3.4.23")).not.toContain("22376");
  expect(numbers("3.4.38")).toEqual(["20418", ...later]);
  expect(numbers("3.4.45")).toEqual(later);
  expect(numbers("3.5.16")).toEqual(["19179", "20221", "14758", "20418", ...later]);
  expect(numbers("3.6.4")).toEqual(["14758", "20418", ...later]);
  expect(numbers("3.7.1")).toEqual(later);
  expect(numbers("3.4.19")).not.toContain("20418");
  for (const none of ["", "3.4", "tenfold", "v3.4.23"]) expect(numbers(none)).toEqual([]);
});
