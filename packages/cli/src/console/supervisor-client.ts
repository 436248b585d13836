import type { SupervisorEvent } from "./event-book.ts";
import type { SupervisorState } from "./fleet-view.ts";
import { fetchText } from "./http-fetch.ts";

/**
 * The supervisor's admin API, as the console uses it. All calls throw
 * TENFOLD_CONSOLE_SOURCE_FAILED.
 */
export interface SupervisorClient {
  state(signal: AbortSignal): Promise<SupervisorState>;
  /** Events after a sequence; waits for the first of them. */
  events(after: number, signal: AbortSignal): Promise<readonly SupervisorEvent[]>;
  kill(instance: string, signal: AbortSignal): Promise<void>;
  /** Resolves when the last instance has been restarted. */
  restart(service: string, signal: AbortSignal): Promise<void>;
}

export const supervisorClientDefaults: {
  readonly stateTimeoutMs: number;
  readonly timeoutMs: number;
  readonly eventWaitMs: number;
  readonly restartTimeoutMs: number;
} = Object.freeze({
  stateTimeoutMs: 800,
  timeoutMs: 2_000,
  eventWaitMs: 10_000,
  restartTimeoutMs: 300_000,
});

/** @param base such as `http://127.0.0.1:18003` */
export function supervisorClient(base: string, token: string): SupervisorClient {
  const { stateTimeoutMs, timeoutMs, eventWaitMs, restartTimeoutMs } = supervisorClientDefaults;
  const get = async (path: string, waitMs: number, signal: AbortSignal): Promise<unknown> =>
    JSON.parse(await fetchText(`${base}${path}`, { token, timeoutMs: waitMs, signal }));
  const post = async (path: string, json: unknown, waitMs: number, signal: AbortSignal) => {
    await fetchText(`${base}${path}`, { token, timeoutMs: waitMs, signal, json });
  };
  return {
    state: async (signal) => (await get("/v1/state", stateTimeoutMs, signal)) as SupervisorState,
    async events(after, signal) {
      const path = `/v1/events?after=${after}&waitMs=${eventWaitMs}`;
      const answer = await get(path, eventWaitMs + timeoutMs, signal);
      return (answer as { events: readonly SupervisorEvent[] }).events;
    },
    kill: (instance, signal) =>
      post("/v1/kill", { instance, signal: "SIGKILL" }, timeoutMs, signal),
    restart: (service, signal) => post("/v1/restart", { name: service }, restartTimeoutMs, signal),
  };
}
