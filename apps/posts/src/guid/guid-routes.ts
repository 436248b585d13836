import type { ServiceRequest, ServiceRoutes } from "tenfold/fleet";
import {
  encodeIdBlock,
  formatId,
  type IdGenerator,
  idBlockLimits,
  type LeasedIds,
} from "tenfold/identifiers";

import { AppError } from "../app-error.ts";

/** One id, or a block of them. Ids are text: a JSON number has too few bits. */
export function guidRoutes(ids: LeasedIds<IdGenerator>): ServiceRoutes {
  return {
    async "GET /api/v1/guid"({ signal }) {
      const next = (generator: IdGenerator, wallMs: number, beforeMs: number): bigint =>
        generator.next(wallMs, beforeMs);
      const guid = formatId(await ids.whenFree(next, { signal }));
      return { status: 200, body: { guid, guid_str: guid } };
    },
    /** At most `size` ids: fewer while their time has no more numbers. */
    async "GET /api/v1/guid/blocks"(request) {
      const size = sizeOf(request);
      const { signal } = request;
      const runs = await ids.whenFree(
        (generator, wallMs, beforeMs) => generator.take(size, wallMs, beforeMs),
        { signal },
      );
      return { status: 200, body: encodeIdBlock(runs) };
    },
  };
}

function sizeOf({ query }: ServiceRequest): number {
  const [text, ...others] = query.getAll("size");
  const size = /^[1-9]\d{0,5}$/.test(text ?? "") && others.length === 0 ? Number(text) : 0;
  if (size >= 1 && size <= idBlockLimits.idsMax) return size;
  throw new AppError(
    "POSTS_INPUT_INVALID",
    `size must be given once, a whole number from 1 to ${idBlockLimits.idsMax}, got ` +
      `${JSON.stringify(query.getAll("size").join()).slice(0, 60)}.`,
  );
}
