import {
  type BalancerOptions,
  boundedHash,
  dynamicWeighted,
  fullScan,
  leastLoaded,
  type Picking,
  roundRobin,
  smoothWeighted,
  twoChoices,
} from "tenfold/balancing";

export type Choice = Omit<BalancerOptions, "random">;

/** Every way of choosing that the library has, with ejection as it comes. */
export const policies: Readonly<Record<string, Choice>> = {
  "default (4 choices, peak-EWMA)": {},
  "two choices, peak-EWMA": { picking: twoChoices() },
  "full scan, peak-EWMA": { picking: fullScan() },
  "two choices, least loaded": { picking: twoChoices(), measure: leastLoaded },
  "full scan, least loaded": { picking: fullScan(), measure: leastLoaded },
  "round robin": { picking: roundRobin(), measure: leastLoaded },
  "smooth weighted": { picking: smoothWeighted(), measure: leastLoaded },
  "dynamic weighted": { picking: dynamicWeighted() },
  "bounded hash": { picking: boundedHash(), measure: leastLoaded },
};

/** Judgement switched off, to show what a policy does by itself. */
const noEjection = { failuresMax: 1_000_000, rateSamplesMin: 10_000 };

/** Where ties go to the one listed first: the classic mistake. */
const firstOfLeast: Picking = () => ({
  pick: (hosts, now) => hosts.reduce((a, b) => (b.load(now) < a.load(now) ? b : a)),
});

/** Without ejection. */
export const barePolicies: Readonly<Record<string, Choice>> = {
  "bare round robin": { picking: roundRobin(), measure: leastLoaded, ...noEjection },
  "bare two choices, least loaded": {
    picking: twoChoices(),
    measure: leastLoaded,
    ...noEjection,
  },
  "bare least loaded, first of equals": {
    picking: firstOfLeast,
    measure: leastLoaded,
    ...noEjection,
  },
};
