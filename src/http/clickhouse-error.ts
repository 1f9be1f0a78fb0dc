/** Errors as a ClickHouse server gives them: a code, its name, and the HTTP status that goes with it. */

import { SqlRefusedError } from "../query/ask-sql.ts";

/** Codes this server gives itself; those of the engine arrive with their names. */
const ownCodes = {
  NOT_IMPLEMENTED: 48,
  SYNTAX_ERROR: 62,
  UNKNOWN_FORMAT: 73,
  UNKNOWN_DATABASE: 81,
  UNKNOWN_SETTING: 115,
  READONLY: 164,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  ABORTED: 236,
  INVALID_SETTING_VALUE: 472,
  BAD_REQUEST_PARAMETER: 36,
  UNKNOWN_QUERY_PARAMETER: 456,
  BAD_QUERY_PARAMETER: 457,
  ACCESS_DENIED: 497,
  UNKNOWN_ROLE: 511,
  AUTHENTICATION_FAILED: 516,
  UNKNOWN_EXCEPTION: 1002,
} as const;

/** As ClickHouse's exceptionCodeToHTTPStatus says; READONLY is 403 here, since it is what the gate refuses. */
const statusOfCode: ReadonlyMap<number, number> = new Map([
  ...[6, 7, 8, 15, 25, 26, 27, 36, 38, 41, 43, 44, 53, 62, 69, 72, 117, 376, 427, 441, 467].map(
    (code) => [code, 400] as const,
  ),
  ...[164, 192, 193, 497, 516].map((code) => [code, 403] as const),
  ...[46, 47, 50, 56, 60, 63, 73, 81, 115, 128, 456, 511].map((code) => [code, 404] as const),
  [457, 400],
  [472, 400],
  [159, 408],
  [48, 501],
  [202, 503],
]);

/** What a client gets to read instead of rows. */
export class ClickhouseError extends Error {
  override readonly name = "ClickhouseError";
  readonly code: number;
  readonly status: number;
  /** `SYNTAX_ERROR` ... */
  readonly kind: string;

  constructor(kind: string, message: string, options: { code?: number; status?: number; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.kind = kind === "BAD_REQUEST_PARAMETER" ? "BAD_ARGUMENTS" : kind;
    this.code = options.code ?? ownCodes[kind as keyof typeof ownCodes] ?? ownCodes.UNKNOWN_EXCEPTION;
    this.status = options.status ?? statusOfCode.get(this.code) ?? 500;
  }
}
