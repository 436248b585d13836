import { retryHeader, retryStop } from "../resilience/call-chain.ts";
import type { Judgement } from "../resilience/call-layer.ts";
import type { AnswerHeaders } from "./dispatcher.ts";

interface Answered {
  readonly status: number;
  readonly headers: AnswerHeaders;
}

const refused: Judgement = Object.freeze({ outcome: "failure" });
const overloaded: Judgement = Object.freeze({ outcome: "overload" });
const failedForGood: Judgement = Object.freeze({ outcome: "failure", mayRetry: false });
const overloadedForGood: Judgement = Object.freeze({ outcome: "overload", mayRetry: false });

/**
 * What an HTTP answer shows of its service. 502, 503 and 504 say that the server, or what is behind
 * it, cannot serve now: another one may be able to, unless the answer says `tenfold-retry: stop`.
 * The other 5xx are failures that another server would repeat. 429 refuses this caller. All else is
 * an answer.
 */
export function judgeAnswer(value: unknown): Judgement {
  const answer = value as Answered;
  const { status } = answer;
  if (status < 500) return status === 429 ? overloadedForGood : "success";
  // Read here and not above: reading them is what makes them.
  const isStopped = answer.headers[retryHeader] === retryStop;
  if (status === 503) return isStopped ? overloadedForGood : overloaded;
  return isStopped || (status !== 502 && status !== 504) ? failedForGood : refused;
}
