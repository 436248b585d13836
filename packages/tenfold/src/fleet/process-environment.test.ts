import { expect, test } from "vitest";

import { defineFleet, etcd } from "./fleet-definition.ts";
import { planFleet } from "./fleet-plan.ts";
import { processEnvironment } from "./process-environment.ts";

test("a child gets the variables of the coordinator's access, and no others", () => {
  const fleet = defineFleet({
    name: "shop",
    coordinator: etcd("https://e1:2379", { user: "env:U", password: "env:ETCD_PASSWORD" }),
    services: { items: { module: "./items.ts" } },
  });
  const plan = planFleet(fleet, { dataFolder: "/data" });
  const [own] = plan.processes;
  if (own === undefined) throw new Error("the plan is empty");
  const parent = { PATH: "/bin", ETCD_PASSWORD: "of-etcd", U: "u", OTHER: "secret" };
  const environment = processEnvironment(plan, own, "1", parent);
  expect(environment).toMatchObject({ PATH: "/bin", ETCD_PASSWORD: "of-etcd" });
  expect(Object.keys(environment)).not.toContain("OTHER");
  expect(Object.keys(environment)).not.toContain("U");
});
