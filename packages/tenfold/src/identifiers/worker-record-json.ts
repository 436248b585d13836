import { TenfoldError } from "../runtime/errors.ts";
import type { WorkerRecord } from "./worker-records.ts";

export function formatWorkerRecord({ owner, epoch, reservedUntilMs }: WorkerRecord): string {
  return JSON.stringify({ format: 1, owner, epoch, reservedUntilMs });
}

/** @throws TENFOLD_IDENTIFIERS_RECORD_INVALID naming where it stood */
export function parseWorkerRecord(text: string, where: string): WorkerRecord {
  const { format, owner, epoch, reservedUntilMs } = Object(parse(text)) as Partial<
    Record<string, unknown>
  >;
  const isMs = Number.isSafeInteger(reservedUntilMs) && (reservedUntilMs as number) >= 0;
  if (format === 1 && typeof owner === "string" && Number.isSafeInteger(epoch) && isMs) {
    return { owner, epoch: epoch as number, reservedUntilMs: reservedUntilMs as number };
  }
  throw new TenfoldError(
    "TENFOLD_IDENTIFIERS_RECORD_INVALID",
    `The worker record ${where} must be JSON of format 1 with owner, epoch and ` +
      `reservedUntilMs, got ${JSON.stringify(text.slice(0, 100))}.`,
    { details: { where } },
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
