import { expect, test } from "vitest";

import { serverFailure } from "./server-failure.ts";

test.each([
  [
    'FATAL:  could not write to file "pg_wal/xlogtemp.31": No space left on device',
    "TENFOLD_POSTGRES_DISK_FULL",
  ],
  [
    'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\nHINT:  Is another',
    "TENFOLD_POSTGRES_PORT_TAKEN",
  ],
  ["FATAL:  database files are incompatible with server", "TENFOLD_POSTGRES_VERSION_MISMATCH"],
  ['FATAL:  lock file "postmaster.pid" already exists', "TENFOLD_POSTGRES_FOLDER_IN_USE"],
  ["FATAL:  something new", "TENFOLD_POSTGRES_FAILED"],
  ["", "TENFOLD_POSTGRES_FAILED"],
])("%j is %s", (log, code) => {
  const error = serverFailure("pg-posts-0-1", log);
  expect(error.code).toBe(code);
  expect(error.message).toContain("pg-posts-0-1");
  expect(error.message).toContain(log.split("\n").at(-1));
});
