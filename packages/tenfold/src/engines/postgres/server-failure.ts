import type { ErrorCode } from "../../runtime/error-codes.ts";
import { errorText, TenfoldError } from "../../runtime/errors.ts";

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

const linesRead = 10;
const linesShown = 5;

/** Why a server ended, from the last lines that it wrote: the latest sign counts. */
export function serverFailure(name: string, log: string): TenfoldError {
  const lines = log
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-linesRead);
  const last = lines.slice(-linesShown).join(" | ");
  const cause = lines
    .reverse()
    .map((line) => causes.find(({ sign }) => sign.test(line)))
    .find((found) => found !== undefined);
  return new TenfoldError(
    cause?.code ?? "TENFOLD_POSTGRES_FAILED",
    `${name} cannot run: ${cause?.text ?? "it ended"}. Its last lines: ${last || "none"}`,
    { details: { server: name } },
  );
}

/** The coded form of an error from the file system; errors that have a code of ours pass. */
export function fileFailure(name: string, error: unknown): TenfoldError {
  if (error instanceof TenfoldError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new TenfoldError(
    full ? "TENFOLD_POSTGRES_DISK_FULL" : "TENFOLD_POSTGRES_FAILED",
    `${name} cannot be made ready: ${full ? "the disk is full" : "a file could not be used"} ` +
      `(${errorText(error)}).`,
    { cause: error, details: { server: name } },
  );
}
