import type { ErrorCode } from "../../runtime/error-codes.ts";
import { TenfoldError } from "../../runtime/errors.ts";

const causes: readonly { sign: RegExp; code: ErrorCode; text: string }[] = [
  {
    sign: /No space left on device|Disk quota exceeded/i,
    code: "TENFOLD_POSTGRES_DISK_FULL",
    text: "the disk is full",
  },
  {
    sign: /could not bind .*Address already in use/i,
    code: "TENFOLD_POSTGRES_PORT_TAKEN",
    text: "its port is taken by another program",
  },
  {
    sign: /database files are incompatible with server|initialized by PostgreSQL version/i,
    code: "TENFOLD_POSTGRES_VERSION_MISMATCH",
    text: "its data was made by another major version",
  },
  {
    sign: /lock file ".*" already exists|pre-existing shared memory block/i,
    code: "TENFOLD_POSTGRES_FOLDER_IN_USE",
    text: "another server runs on its data folder",
  },
  {
    sign: /"root" execution|cannot be run as root/i,
    code: "TENFOLD_POSTGRES_PRIVILEGES",
    text: "it was started as root",
  },
];

const linesShown = 5;

/** Why a server ended, from the last lines that it wrote. */
export function serverFailure(name: string, log: string): TenfoldError {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  const last = lines.slice(-linesShown).join(" | ");
  const cause = causes.find(({ sign }) => sign.test(log));
  return new TenfoldError(
    cause?.code ?? "TENFOLD_POSTGRES_FAILED",
    `${name} cannot run: ${cause?.text ?? "it ended"}. Its last lines: ${last || "none"}`,
    { details: { server: name } },
  );
}
