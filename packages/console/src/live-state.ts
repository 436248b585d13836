import { useEffect, useState } from "preact/hooks";
import type { ConsoleState } from "../../cli/src/console/console-state.ts";
import { mergeState, replaceState } from "./merge-state.ts";

export interface Live {
  readonly state: ConsoleState | undefined;
  /** Does the console itself answer? */
  readonly connected: boolean;
  /** When it last did, by this browser's clock. */
  readonly heardMs: number;
}

const reopenAfterMs = 1_500;

/** The fleet's state, kept up to date by the stream. The last one stays when the stream is cut. */
export function useLiveState(): Live {
  const [live, setLive] = useState<Live>({ state: undefined, connected: true, heardMs: 0 });
  useEffect(() => {
    let timer: number | undefined;
    let source: EventSource;
    const open = (): void => {
      source = new EventSource("/api/stream");
      const hear = (kind: string, merge: typeof mergeState): void =>
        source.addEventListener(kind, ({ data }: MessageEvent<string>) => {
          const update = JSON.parse(data) as ConsoleState;
          setLive(({ state }) => ({
            state: merge(state, update),
            connected: true,
            heardMs: Date.now(),
          }));
        });
      hear("whole", replaceState);
      hear("change", mergeState);
      source.onerror = () => {
        setLive((before) => ({ ...before, connected: false }));
        // Closed for good by an HTTP error, where a browser does not try again by itself.
        if (source.readyState === EventSource.CLOSED)
          timer = window.setTimeout(open, reopenAfterMs);
      };
    };
    open();
    return () => {
      window.clearTimeout(timer);
      source.close();
    };
  }, []);
  return live;
}
