import type { Revision } from "../../coordination/coordinator.ts";
import { generationKey, parseGeneration } from "../../coordination/generation.ts";
import { storeGuard } from "../../coordination/store-guard.ts";
import { storeReplaced } from "../../coordination/store-replaced.ts";
import { keyBytes, textOf } from "./entries.ts";
import type { RangeResponse, ResponseHeader } from "./messages.ts";

/** What was known of the store when a question was sent; its answer is judged by it. */
export interface StoreMark {
  readonly generation: number;
  /** When the generation was last raised: 0 when never. */
  readonly raisedAt: Revision;
  /** The highest revision heard. */
  readonly floor: Revision;
  /** Fires when the store turned out to be replaced, or a new generation began. */
  readonly era: AbortSignal;
}

/** Knows the store that the client has accepted, and refuses a younger or another one. */
export interface StoreCheck {
  /** As of now. */
  mark(): StoreMark;
  /** The range that `identify` reads. */
  readonly question: { readonly key: Uint8Array };
  /**
   * Takes the answer to the question, asked on a new connection or after a doubt. False when
   * another answer changed what is known meanwhile: ask again.
   * @throws TENFOLD_COORDINATION_STORE_REPLACED
   */
  identify(answer: RangeResponse, mark: StoreMark): boolean;
  /**
   * False when the answer to a linearizable read or a write is older than the mark: ask again who
   * the store is. True also for answers of an era that has ended: nothing can be learnt from them.
   */
  believes(header: ResponseHeader | undefined, mark: StoreMark): boolean;
  /** A watch told of this revision. */
  hear(revision: Revision, mark: StoreMark): void;
  /** True while the store is refused. */
  readonly refused: boolean;
}

export function storeCheck(): StoreCheck {
  const guard = storeGuard();
  let raisedAt: Revision = 0n;
  let era = new AbortController();

  const sighting = (header: ResponseHeader | undefined, generation: number) => ({
    storeId: header?.clusterId ?? 0n,
    generation,
    revision: header?.revision ?? 0n,
  });
  return {
    mark: () => ({
      generation: guard.generation,
      raisedAt,
      floor: guard.revision,
      era: era.signal,
    }),
    question: { key: keyBytes(generationKey) },
    identify({ header, kvs: [entry] }, mark) {
      if (mark.era !== era.signal) return false;
      const seen = sighting(header, parseGeneration(entry && textOf(entry.value)));
      const verdict = guard.see(seen, mark.floor);
      if (verdict === "younger" || verdict === "foreign") {
        const error = storeReplaced(verdict, seen, guard);
        era.abort(error);
        throw error;
      }
      raisedAt = entry?.modRevision ?? 0n;
      if (verdict === "raised") era.abort();
      if (era.signal.aborted) era = new AbortController();
      return true;
    },
    believes(header, mark) {
      if (mark.era.aborted) return true;
      const verdict = guard.see(sighting(header, guard.generation), mark.floor);
      return verdict === "same";
    },
    hear(revision, mark) {
      if (!mark.era.aborted) guard.hear(revision);
    },
    get refused() {
      return era.signal.aborted;
    },
  };
}
