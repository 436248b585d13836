import type { Clock, Timer } from "../runtime/clock.ts";
import type { MapFile, SavedMap } from "./map-file.ts";

/** A map that changes often is written so seldom; what a crash loses is at most this old. */
const saveEveryMs = 1_000;
/** A full disk is asked again after this. */
const retryMs = 10_000;

export interface MapSaver {
  /** The map changed; it is written soon, in the state that it then has. */
  changed(): void;
  /** Writes no more. */
  close(): void;
}

/** Writes a map at a bounded rate. */
export function mapSaver(
  file: MapFile,
  present: () => SavedMap,
  clock: Pick<Clock, "setTimer">,
): MapSaver {
  let timer: Timer | undefined;
  let isDirty = false;
  let isClosed = false;
  const plan = (delayMs: number): void => {
    timer = clock.setTimer(delayMs, () => void write(), { keepAlive: false });
  };
  const write = async (): Promise<void> => {
    isDirty = false;
    const isSaved = await file.save(present());
    timer = undefined;
    if (isClosed || (isSaved && !isDirty)) return;
    plan(isSaved ? saveEveryMs : retryMs);
  };
  return {
    changed() {
      isDirty = true;
      if (timer === undefined && !isClosed) plan(saveEveryMs);
    },
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}
