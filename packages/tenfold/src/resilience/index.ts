export {
  type Deadline,
  deadlineAfter,
  deadlineHeader,
  deadlineMsMax,
  formatDeadline,
  parseDeadline,
} from "./deadline.ts";
export {
  type AttemptFailure,
  type BackOff,
  backOffDefaults,
  fullJitter,
  isIdempotentMethod,
  type RetryVerdict,
  retryVerdict,
} from "./retry.ts";
export {
  type RetryBudget,
  type RetryBudgetOptions,
  retryBudget,
  retryBudgetDefaults,
} from "./retry-budget.ts";
