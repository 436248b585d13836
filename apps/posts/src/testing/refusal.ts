import { until } from "../../../../lab/support/fleet.ts";
import type { BadRequest } from "./bad-requests.ts";
import { call, type HttpAnswer } from "./http-call.ts";

/** What became of a request that must be refused: its code and a reason, or else all of it. */
export interface Refusal {
  readonly name: string;
  readonly status: number;
  readonly code: string | undefined;
  /** Said why; undefined when it did. */
  readonly unexplained: string | undefined;
}

export async function refusalOf(gateway: string, bad: BadRequest): Promise<Refusal> {
  return refusal(bad, await call(gateway, bad.path, bad.call));
}

/**
 * The same of a write whose URL must be refused. scrap is not essential: while it is slow, a post
 * is written without a preview, and nobody has looked at the URL. Then it is written again.
 */
export async function refusalOfUrl(gateway: string, bad: BadRequest): Promise<Refusal> {
  let answer: HttpAnswer | undefined;
  await until(`scrap to judge "${bad.name}"`, 60_000, async () => {
    answer = await call(gateway, bad.path, bad.call);
    return !isWithoutPreview(answer);
  });
  return refusal(bad, answer as HttpAnswer);
}

/** How a request is answered that is refused as it must be. */
export function wantedRefusal({ name, status, code }: BadRequest): Refusal {
  return { name, status, code, unexplained: undefined };
}

function refusal({ name }: BadRequest, { status, code, text }: HttpAnswer): Refusal {
  const explained = code !== undefined && messageOf(text).length > 10;
  return { name, status, code, unexplained: explained ? undefined : text.slice(0, 500) };
}

function messageOf(text: string): string {
  return (JSON.parse(text) as { error: { message?: string } }).error.message ?? "";
}

function isWithoutPreview(answer: HttpAnswer): boolean {
  return answer.status === 201 && answer.json<{ preview?: object }>().preview === undefined;
}
