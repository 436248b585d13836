/** Every code that this product raises itself, with the status it is answered with. */
export const appErrorStatus = {
  POSTS_ID_INVALID: 400,
  POSTS_INPUT_INVALID: 400,
  POSTS_CURSOR_INVALID: 400,
  POSTS_NOT_FOUND: 404,
  POSTS_IDEMPOTENCY_KEY_REUSED: 422,
  POSTS_DEPENDENCY_FAILED: 503,
  POSTS_URL_REFUSED: 422,
  POSTS_PAGE_REFUSED: 422,
  POSTS_PAGE_UNAVAILABLE: 422,
  POSTS_IP_INVALID: 400,
  POSTS_GEOIP_UNAVAILABLE: 503,
} as const satisfies Record<string, number>;

export type AppErrorCode = keyof typeof appErrorStatus;

/** An error that a request is answered with: status, code and message go to the caller. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: AppErrorCode;
  readonly status: number;
  /** Come back after this long: makes the error retryable. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: AppErrorCode,
    message: string,
    options: { readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = appErrorStatus[code];
    this.retryAfterMs = options.retryAfterMs;
  }
}
