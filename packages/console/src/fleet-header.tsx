import type { VNode } from "preact";
import type { ConsoleState, HostState, SourceState } from "../../cli/src/console/console-state.ts";
import { count, duration, milliseconds, perSecond } from "./format.ts";
import type { Place } from "./use-place.ts";

export interface FleetHeaderProps {
  readonly state: ConsoleState;
  readonly connected: boolean;
  /** How old the state is, in milliseconds. */
  readonly ageMs: number;
  readonly place: Place;
}

/** Name, the two counters that matter, and how the fleet fares now. */
export function FleetHeader({ state, connected, ageMs, place }: FleetHeaderProps): VNode {
  const { totals, fleet, startedAtMs, timeMs, sources, hosts } = state;
  const up = startedAtMs === undefined ? undefined : timeMs - startedAtMs;
  const problems = [
    connected ? undefined : `The console does not answer; this is ${duration(ageMs)} old.`,
    connected ? sourceProblem("supervisor", sources.supervisor) : undefined,
    connected ? sourceProblem("coordinator", sources.coordinator) : undefined,
    ...hosts.map(hostProblem),
  ].filter((problem) => problem !== undefined);
  return (
    <header>
      <div class="headline">
        <h1>
          {fleet} <small>up {duration(up)}</small>
        </h1>
        <nav aria-label="Views">
          <a href="#fleet" aria-current={place === "fleet" ? "page" : undefined}>
            Fleet
          </a>
          <a href="#maps" aria-current={place === "maps" ? "page" : undefined}>
            Maps
          </a>
        </nav>
        <BigCounter
          label="failed"
          value={totals.failed}
          title="client requests that failed since the start"
        />
        <BigCounter
          label="lost"
          value={totals.lost}
          title={
            totals.lost === undefined
              ? "no audit reports yet"
              : `acknowledged and missing, of ${count(totals.audited)} audited`
          }
        />
        <dl class="now">
          <Figure label="requests" value={perSecond(totals.perSecond)} />
          <Figure label="median" value={milliseconds(totals.p50Ms)} />
          <Figure label="p99" value={milliseconds(totals.p99Ms)} />
          <Figure label="max (1 min)" value={milliseconds(totals.maxMs)} />
          <Figure label="served" value={count(totals.requests)} />
        </dl>
      </div>
      <div role="status">
        {problems.map((problem) => (
          <p key={problem} class="problem">
            {problem}
          </p>
        ))}
      </div>
    </header>
  );
}

function BigCounter(props: {
  readonly label: string;
  readonly value: number | undefined;
  readonly title: string;
}): VNode {
  const kind = props.value === undefined ? "idle" : props.value > 0 ? "bad" : "good";
  return (
    <p class={`counter ${kind}`} title={props.title}>
      <span>{props.label}</span> <strong>{count(props.value)}</strong>
    </p>
  );
}

function Figure({ label, value }: { readonly label: string; readonly value: string }): VNode {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function hostProblem({ name, zone, state }: HostState): string | undefined {
  if (state === "up") return undefined;
  return `Host ${name} (${zone}) is ${state}: its supervisor does not answer.`;
}

function sourceProblem(name: string, source: SourceState): string | undefined {
  if (source.reachable) return undefined;
  const age =
    source.ageMs === undefined
      ? "nothing was heard of it yet"
      : `last heard ${duration(source.ageMs)} ago`;
  return `The ${name} does not answer (${source.problem ?? "no reason known"}); ${age}.`;
}
