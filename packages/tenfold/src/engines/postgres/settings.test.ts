import { expect, test } from "vitest";

import { accessRules, settingsText, slotName } from "./settings.ts";

const settings = {
  address: "127.0.0.1",
  port: 18_501,
  follows: { name: "pg-posts-0-1", address: "127.0.0.1", port: 18_500 },
  passwordFile: "/home/o'brien/a b/replication.pgpass",
  slot: slotName("pg-posts-0-2"),
};

test("a standby's settings say whom it follows, quoted for both readers, without the password", () => {
  const lines = settingsText(settings).split("\n");
  expect(lines).toContain("port = '18501'");
  expect(lines).toContain("unix_socket_directories = ''");
  expect(lines).toContain("primary_slot_name = 'pg_posts_0_2'");
  expect(lines).toContain(
    "primary_conninfo = 'host=127.0.0.1 port=18500 user=replicator " +
      "application_name=pg_posts_0_2 passfile=''/home/o\\\\''brien/a b/replication.pgpass'''",
  );
});

test("a primary follows nobody", () => {
  expect(settingsText({ ...settings, follows: undefined })).toContain("primary_conninfo = ''\n");
});

test("nobody comes in without a password, nor from a host that is not of the fleet", () => {
  const rules = accessRules(["10.0.0.1", "10.0.0.2"]).trim().split("\n");
  expect(rules).toHaveLength(6);
  for (const rule of rules) expect(rule).toMatch(/ 10\.0\.0\.[12]\/32 scram-sha-256$/);
  const loopback = accessRules(["127.0.0.1", "127.0.0.2"]).trim().split("\n");
  expect(loopback).toHaveLength(3);
  for (const rule of loopback) expect(rule).toMatch(/ 127\.0\.0\.0\/8 scram-sha-256$/);
});
