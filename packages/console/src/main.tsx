import { render, type VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { act } from "./actions.ts";
import { Charts } from "./charts.tsx";
import { EventList } from "./event-list.tsx";
import { FleetHeader } from "./fleet-header.tsx";
import { useLiveState } from "./live-state.ts";
import { MapsPage } from "./maps/maps-page.tsx";
import { TopologyPicture } from "./picture/topology-picture.tsx";
import { ServiceTable } from "./service-table.tsx";
import { SlotStrip } from "./slot-strip.tsx";
import { usePlace } from "./use-place.ts";

const noticeForMs = 6_000;

function Page(): VNode {
  const { state, connected, heardMs } = useLiveState();
  const [notice, setNotice] = useState("");
  const nowMs = useNow();
  const place = usePlace();
  useEffect(() => {
    const timer = window.setTimeout(() => setNotice(""), noticeForMs);
    return () => window.clearTimeout(timer);
  }, [notice]);
  const run = (path: string, body: object, done: string): void =>
    void act(path, body).then((problem) => setNotice(problem ?? done));
  const kill = (instance: string): void =>
    run("/api/kill", { instance }, `${instance} was killed.`);
  const restart = (service: string): void => {
    setNotice(`${service} restarts, one instance after the other.`);
    run("/api/restart", { service }, `${service} was restarted.`);
  };
  const undo = (name: string, change: number): void =>
    run("/api/settings/undo", { name, change }, `${name} is back at what it was before.`);
  if (state === undefined) {
    return (
      <p class="waiting">
        {connected ? "Reading the fleet's state." : "The console does not answer."}
      </p>
    );
  }
  return (
    <>
      <FleetHeader state={state} connected={connected} ageMs={nowMs - heardMs} place={place} />
      {place === "maps" ? (
        <MapsPage state={state} stale={!connected} onUndo={undo} />
      ) : (
        <main class={connected ? "" : "stale"}>
          <TopologyPicture state={state} onKill={kill} onRestart={restart} />
          <Charts history={state.history} />
          <ServiceTable services={state.services} onRestart={restart} />
          {state.placements.map((placement) => (
            <SlotStrip key={placement.store} placement={placement} />
          ))}
          <EventList events={state.events} />
        </main>
      )}
      <p class={notice === "" ? "notice" : "notice shown"} role="status">
        {notice}
      </p>
    </>
  );
}

/** Now, once a second: ages grow while nothing arrives. */
function useNow(): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNowMs(Date.now()), 1_000);
    return () => window.clearInterval(timer);
  }, []);
  return nowMs;
}

render(<Page />, document.getElementById("console") as HTMLElement);
