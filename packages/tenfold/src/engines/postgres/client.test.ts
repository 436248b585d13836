import { expect, test } from "vitest";

import { postgresError, saidByServer } from "./client.ts";

const thrown = (code: string) => Object.assign(new Error("from the driver"), { code });

test.each([
  ["57P03", "it recovers"],
  ["53300", "it has no connection left"],
  ["28P01", "it refuses a password"],
])("a server that answers %s is alive: %s", (code) => {
  expect(saidByServer(postgresError(thrown(code), "pg"))).toBe(true);
});

test.each(["ECONNREFUSED", "EPIPE", "ETIMEDOUT", ""])(
  "%j is the connection's trouble, not a word of the server's",
  (code) => {
    const error = postgresError(thrown(code), "pg");
    expect(error).toMatchObject({ code: "TENFOLD_POSTGRES_UNAVAILABLE", retryable: true });
    expect(saidByServer(error)).toBe(false);
  },
);
