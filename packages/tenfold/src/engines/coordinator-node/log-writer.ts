import type { LogFile } from "./log-folder.ts";
import { encodeMark } from "./log-frames.ts";

/** The end of a log, to which frames are added; calls come one after the other. */
export interface LogWriter {
  /** Where the last frame that is on disk ends. */
  readonly end: number;
  /** Resolves when the frame is on disk; after a rejection it does not count. */
  append(frame: Uint8Array): Promise<void>;
  /** Notes `end` in the head. */
  mark(): Promise<void>;
  close(): Promise<void>;
}

/** @param at where the frames that count end: what may be behind it goes with the first `append` */
export function logWriter(file: LogFile, at: number): LogWriter {
  let end = at;
  let marked = 0;
  // What a write that failed has left behind the end must go before the next one.
  let isTorn = true;
  return {
    get end() {
      return end;
    },
    async append(frame) {
      if (isTorn) await file.truncate(end);
      isTorn = true;
      await file.write(frame, end);
      isTorn = false;
      end += frame.length;
    },
    async mark() {
      if (marked === end) return;
      const { bytes, position } = encodeMark(end);
      await file.write(bytes, position);
      marked = end;
    },
    close: () => file.close(),
  };
}
