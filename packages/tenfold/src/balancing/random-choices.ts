import { numberOption, refuseUnknownKeys } from "../runtime/options.ts";
import type { Random } from "../runtime/random.ts";
import type { Host } from "./host.ts";
import type { Picker, Picking } from "./picking.ts";

export interface RandomChoicesOptions {
  /** How many hosts are drawn: 2 … 64. */
  readonly choices?: number;
}

export const randomChoicesDefaults: Readonly<Required<RandomChoicesOptions>> = Object.freeze({
  choices: 4,
});

/**
 * The power of d choices: draws d different hosts at random and takes the one with the least load.
 * One host wins at most d/n of the picks, whatever it pretends, and callers with views of their own
 * do not herd; more choices find a way around a slow host sooner. Mitzenmacher 2001.
 *
 * With unequal weights it is two draws by weight, perhaps of the same host: of few different ones
 * a light host would get far more than its weight. O(d), with unequal weights O(log n).
 *
 * @throws TENFOLD_OPTION_INVALID, TENFOLD_OPTION_UNKNOWN
 */
export function randomChoices(options: RandomChoicesOptions = {}): Picking {
  refuseUnknownKeys("randomChoices", options, Object.keys(randomChoicesDefaults));
  const choices = options.choices ?? randomChoicesDefaults.choices;
  numberOption("choices", choices, { min: 2, max: 64 });
  return (random) => {
    let seen: readonly Host[] = [];
    let picker: Picker = noHosts;
    return {
      pick(hosts, now, key) {
        if (hosts !== seen) {
          seen = hosts;
          const isEven = hosts.every(({ weight }) => weight === hosts[0]?.weight);
          picker = isEven
            ? evenChoices(hosts.length, choices, random)
            : weightedPair(hosts, random);
        }
        return picker.pick(hosts, now, key);
      },
    };
  };
}

/** The power of two choices, with which one host wins at most 2/n of the picks. */
export function twoChoices(): Picking {
  return randomChoices({ choices: 2 });
}

const noHosts: Picker = { pick: (hosts) => hosts[0] as Host };

function evenChoices(count: number, choices: number, random: Pick<Random, "below">): Picker {
  const drawn = Math.min(choices, count);
  /** Some order of all hosts: the first `drawn` places are shuffled anew for each pick. */
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  return {
    pick(hosts, now) {
      let best: Host | undefined;
      let least = Number.POSITIVE_INFINITY;
      for (let place = 0; place < drawn; place++) {
        const from = place + random.below(count - place);
        const index = order[from] as number;
        order[from] = order[place] as number;
        order[place] = index;
        const host = hosts[index] as Host;
        const load = host.load(now);
        if (best !== undefined && load >= least) continue;
        best = host;
        least = load;
      }
      return best as Host;
    },
  };
}

function weightedPair(hosts: readonly Host[], random: Pick<Random, "next">): Picker {
  let sum = 0;
  const sums = Float64Array.from(hosts, ({ weight }) => {
    sum += weight;
    return sum;
  });
  return {
    pick(_hosts, now) {
      const a = hosts[drawByWeight(sums, random)] as Host;
      const b = hosts[drawByWeight(sums, random)] as Host;
      return b.load(now) < a.load(now) ? b : a;
    },
  };
}

function drawByWeight(sums: Float64Array, random: Pick<Random, "next">): number {
  let low = 0;
  let high = sums.length - 1;
  const draw = random.next() * (sums[high] as number);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (draw < (sums[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}
