import type { Server } from "node:http";

import { errorReason, TenfoldError } from "../runtime/errors.ts";

/** The port that the server now listens on. @throws TENFOLD_FLEET_PORT_TAKEN */
export function listen(
  server: Server,
  at: { readonly host: string; readonly port: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const taken = error.code === "EADDRINUSE" || error.code === "EACCES";
      reject(taken ? portTaken(at, error) : error);
    };
    server.once("error", onError);
    server.listen(at.port, at.host, () => {
      server.off("error", onError);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : at.port);
    });
  });
}

function portTaken(at: { readonly host: string; readonly port: number }, cause: Error) {
  const message = `${at.host}:${at.port} cannot be listened on: ${errorReason(cause)}`;
  return new TenfoldError("TENFOLD_FLEET_PORT_TAKEN", message, { cause });
}
