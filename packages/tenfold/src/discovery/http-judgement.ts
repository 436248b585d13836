import { retryHeader, retryStop } from "../resilience/call-chain.ts";
import type { Judgement } from "../resilience/call-layer.ts";
import type { Clock } from "../runtime/clock.ts";
import type { AnswerHeaders } from "./dispatcher.ts";
import { retryAfterMs } from "./retry-after.ts";

interface Answered {
  readonly status: number;
  readonly headers: AnswerHeaders;
}

const overloadedForGood: Judgement = Object.freeze({ outcome: "overload", mayRetry: false });
const failedForGood: Judgement = Object.freeze({ outcome: "failure", mayRetry: false });

/**
 * What an HTTP answer shows of its service. 502, 503 and 504 say that the server, or what is behind
 * it, cannot serve now: another one may be able to, unless the answer says `tenfold-retry: stop`;
 * their `Retry-After` says when it is worth asking the same one again. The other 5xx are failures
 * that another server would repeat. 429 refuses this caller. Of an upgrade nothing is known yet.
 * All else is an answer.
 */
export function answerJudge(clock: Pick<Clock, "wallNow">): (value: unknown) => Judgement {
  return (value) => {
    const answer = value as Answered;
    const { status } = answer;
    if (status < 200) return "ignored";
    if (status < 500) return status === 429 ? overloadedForGood : "success";
    if (status < 502 || status > 504) return failedForGood;
    // Read here and not above: reading them is what makes them.
    const { headers } = answer;
    const outcome = status === 503 ? "overload" : "failure";
    if (headers[retryHeader] === retryStop) return { outcome, mayRetry: false };
    return { outcome, retryAfterMs: retryAfterMs(headers["retry-after"], clock) };
  };
}
