export interface Outcomes {
  readonly total: number;
  readonly failures: number;
}

export interface RateTestLimits {
  /** Calls on either side that a judgement needs. */
  readonly samplesMin: number;
  /** By how much the share of failures must be greater than that of the others: 0 … 1. */
  readonly differenceMin: number;
}

/** Beyond three deviations chance is one in a thousand … */
const zMin = 3;
/** … which a normal distribution promises only if more than one or two failures were seen. */
const failuresMin = 3;

/**
 * Does a host fail more often than the others do, beyond chance? The two-proportion z-test against
 * all the others together, which needs no crowd of hosts to compare with: a test on the mean and
 * deviation of hosts (Envoy's success rate) cannot tell anything with two to four of them.
 */
export function isOutlier(host: Outcomes, others: Outcomes, limits: RateTestLimits): boolean {
  if (host.total < limits.samplesMin || others.total < limits.samplesMin) return false;
  if (host.failures < failuresMin) return false;
  const difference = host.failures / host.total - others.failures / others.total;
  if (difference < limits.differenceMin) return false;
  const pooled = (host.failures + others.failures) / (host.total + others.total);
  const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / host.total + 1 / others.total));
  return difference >= zMin * deviation;
}
