import type { IncomingMessage } from "node:http";
import { TenfoldError } from "tenfold/runtime";

const bodyBytesMax = 4_096;

/** A small JSON body. @throws TENFOLD_CONSOLE_REQUEST_INVALID */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request, "application/json");
  try {
    return JSON.parse(text);
  } catch {
    throw invalid("The body is no JSON.");
  }
}

/** A small form, as a browser posts it. @throws TENFOLD_CONSOLE_REQUEST_INVALID */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  return new URLSearchParams(await readText(request, "application/x-www-form-urlencoded"));
}

async function readText(request: IncomingMessage, type: string): Promise<string> {
  const came = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (came !== type) throw invalid(`The content type must be ${type}.`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw invalid(`The body may have ${bodyBytesMax} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function invalid(message: string): TenfoldError {
  return new TenfoldError("TENFOLD_CONSOLE_REQUEST_INVALID", message);
}
