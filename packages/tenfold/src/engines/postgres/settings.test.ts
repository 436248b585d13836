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

test("nobody comes in without a password", () => {
  for (const rule of accessRules().trim().split("\n")) expect(rule).toMatch(/ scram-sha-256$/);
});
