import { expect, test } from "vitest";

import { joinToken } from "./fleet-token.ts";

test("--join says where the token is, a variable may hold it", async () => {
  const token = "a-token-of-24-characters";
  await expect(joinToken(token, undefined)).rejects.toMatchObject({
    code: "TENFOLD_OPTION_INVALID",
    message: expect.not.stringContaining(token),
  });
  await expect(joinToken("", token)).rejects.toThrow(/--join must be a reference/);
  expect(await joinToken(undefined, token)).toBe(token);
  expect(await joinToken(undefined, "")).toBe(undefined);
  process.env.TENFOLD_TEST_JOIN = token;
  try {
    expect(await joinToken("env:TENFOLD_TEST_JOIN", "another")).toBe(token);
    expect(await joinToken(undefined, "env:TENFOLD_TEST_JOIN")).toBe(token);
  } finally {
    delete process.env.TENFOLD_TEST_JOIN;
  }
});
