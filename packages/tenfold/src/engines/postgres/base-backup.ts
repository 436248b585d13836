import { abortError, TenfoldError } from "../../runtime/errors.ts";
import {
  type PgClient,
  type PgClientConfig,
  type PgModule,
  postgresError,
  withClient,
} from "./client.ts";
import { fileFailure } from "./server-failure.ts";

const bufferedBytesMax = 4 * 1024 * 1024;
/** The server reports its progress every second, so this long a silence means that it is gone. */
const silenceMaxMs = 30_000;

/**
 * Takes a base backup over the replication protocol and hands its tar stream to `consume`. Works
 * on a primary and on a standby. The sender is paused while more than 4 MB wait.
 * https://www.postgresql.org/docs/18/protocol-replication.html
 *
 * @param from host, port, user and password of a role with REPLICATION
 * @throws TENFOLD_POSTGRES_BACKUP_FAILED, TENFOLD_POSTGRES_UNAVAILABLE, TENFOLD_POSTGRES_REFUSED,
 * what `consume` throws, or the signal's reason
 */
export async function baseBackup(
  pg: PgModule,
  from: PgClientConfig,
  label: string,
  consume: (tar: AsyncIterable<Uint8Array>) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  await withClient(pg, { ...from, replication: "true" }, async (client) => {
    const archive = receiver(client);
    const { stream } = client.connection;
    const hangUp = (): void => void stream.destroy();
    stream.setTimeout(silenceMaxMs, hangUp);
    signal?.addEventListener("abort", hangUp, { once: true });
    const command =
      `BASE_BACKUP (LABEL ${client.escapeLiteral(label)}, ` +
      "CHECKPOINT 'fast', WAL true, MANIFEST 'no')";
    const sent = client.query(command).then(
      () => archive.end(),
      (error: unknown) => archive.end(postgresError(error, `${from.host}:${from.port}`)),
    );
    try {
      await consume(archive.chunks());
    } catch (error) {
      // The server would go on sending to a reader that has given up.
      hangUp();
      throw signal?.aborted ? abortError(signal) : fileFailure(label, error);
    } finally {
      await sent;
      signal?.removeEventListener("abort", hangUp);
    }
    archive.assertWhole();
  });
}

function receiver(client: PgClient) {
  const waiting: Uint8Array[] = [];
  const { connection } = client;
  let waitingBytes = 0;
  let archives = 0;
  let over = false;
  let failure: TenfoldError | undefined;
  let wake = (): void => {};

  connection.on("copyData", ({ chunk }) => {
    const kind = String.fromCharCode(chunk[0] as number);
    if (kind === "n") archives += 1;
    if (archives > 1) failure ??= failed("it has more than one tablespace");
    if (kind === "d") {
      // The driver uses its buffer again for the next message.
      const copy = Buffer.from(chunk.subarray(1));
      waiting.push(copy);
      waitingBytes += copy.length;
      if (waitingBytes > bufferedBytesMax) connection.stream.pause();
    }
    wake();
  });

  return {
    end(error?: TenfoldError): void {
      over = true;
      failure ??= error;
      wake();
    },
    assertWhole(): void {
      if (failure !== undefined) throw failure;
    },
    async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
      for (;;) {
        if (failure !== undefined) throw failure;
        const chunk = waiting.shift();
        if (chunk !== undefined) {
          waitingBytes -= chunk.length;
          if (waitingBytes <= bufferedBytesMax / 2) connection.stream.resume();
          yield chunk;
          continue;
        }
        if (over) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function failed(what: string): TenfoldError {
  return new TenfoldError(
    "TENFOLD_POSTGRES_BACKUP_FAILED",
    `This server cannot be copied: ${what}.`,
  );
}
