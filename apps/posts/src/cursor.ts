import { createHmac, timingSafeEqual } from "node:crypto";

import { AppError } from "./app-error.ts";

/** Where the next page of a user's posts begins, as an opaque signed text. */
export interface CursorCodec {
  /** @param before the page shows only posts with smaller ids */
  encode(userId: bigint, before: bigint): string;
  /**
   * The id of a cursor that was made for this user with the same secret.
   * @throws POSTS_CURSOR_INVALID
   */
  decode(userId: bigint, cursor: string): bigint;
}

const payloadBytes = 16;
const signatureBytes = 16;
const cursorPattern = /^[A-Za-z0-9_-]{43}$/;

/**
 * User id and post id, eight bytes each, and the first 16 bytes of their HMAC-SHA256, in base64url:
 * 43 characters. Signed so that a cursor is ours alone to change in a later version.
 *
 * @param secret the same in every process that reads; at least 16 characters
 */
export function cursorCodec(secret: string): CursorCodec {
  const sign = (payload: Uint8Array): Buffer =>
    createHmac("sha256", secret)
      .update("posts cursor 1")
      .update(payload)
      .digest()
      .subarray(0, signatureBytes);
  return {
    encode(userId, before) {
      const payload = Buffer.alloc(payloadBytes);
      payload.writeBigUInt64BE(userId, 0);
      payload.writeBigUInt64BE(before, 8);
      return Buffer.concat([payload, sign(payload)]).toString("base64url");
    },
    decode(userId, cursor) {
      if (!cursorPattern.test(cursor)) throw invalid();
      const bytes = Buffer.from(cursor, "base64url");
      const payload = bytes.subarray(0, payloadBytes);
      // The last character carries two bits that decoding drops: only one spelling is accepted.
      const genuine =
        bytes.toString("base64url") === cursor &&
        timingSafeEqual(bytes.subarray(payloadBytes), sign(payload));
      if (!genuine || payload.readBigUInt64BE(0) !== userId) throw invalid();
      return payload.readBigUInt64BE(8);
    },
  };
}

function invalid(): AppError {
  return new AppError(
    "POSTS_CURSOR_INVALID",
    "This cursor is not one of this user's: take nextCursor as it came, or leave it out.",
  );
}
