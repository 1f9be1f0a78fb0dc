/** Errors as a ClickHouse server gives them: a code, its name, and the HTTP status that goes with it. */

import { SqlRefusedError } from "../query/ask-sql.ts";

/** Codes this server gives by itself; those of the engine arrive with their names. */
const codes = {
  BAD_ARGUMENTS: 36,
  NOT_IMPLEMENTED: 48,
  SYNTAX_ERROR: 62,
  UNKNOWN_FORMAT: 73,
  UNKNOWN_DATABASE: 81,
  UNKNOWN_COMPRESSION_METHOD: 89,
  UNKNOWN_SETTING: 115,
  READONLY: 164,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  ABORTED: 236,
  UNKNOWN_QUERY_PARAMETER: 456,
  BAD_QUERY_PARAMETER: 457,
  INVALID_SETTING_VALUE: 471,
  ACCESS_DENIED: 497,
  UNKNOWN_ROLE: 511,
  AUTHENTICATION_FAILED: 516,
  UNKNOWN_EXCEPTION: 1002,
} as const;

/** As ClickHouse maps codes to statuses; anything else is 500. READONLY, 500 there, is 403 here: it is what a gate says. */
const statuses: readonly (readonly [status: number, codes: readonly number[]])[] = [
  [400, [6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676]],
  [401, [194]],
  [403, [164, 192, 193, 497, 512, 516]],
  [404, [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511]],
  [408, [159]],
  [411, [381]],
  [413, [229]],
  [501, [48]],
  [503, [76, 209, 439]],
];

interface ErrorDetails {
  readonly code?: number;
  readonly status?: number;
  readonly cause?: unknown;
}

/** What a client gets to read instead of rows. */
export class ClickhouseError extends Error {
  override readonly name = "ClickhouseError";
  /** `SYNTAX_ERROR` ... */
  readonly kind: string;
  readonly code: number;
  readonly status: number;

  constructor(kind: string, message: string, details: ErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : {});
    this.kind = kind;
    this.code = details.code ?? (kind in codes ? codes[kind as keyof typeof codes] : codes.UNKNOWN_EXCEPTION);
    this.status = details.status ?? statuses.find(([, those]) => those.includes(this.code))?.[0] ?? 500;
  }
}

/** The text of an error, in the form that clients take apart. */
export function errorText({ code, kind, message }: ClickhouseError, version: string): string {
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  return `Code: ${code}. DB::Exception: ${sentence} (${kind}) (version ${version} (burnwatch))\n`;
}

const engineError = /^Code: (\d+)\. DB::Exception: (.*?)\s*\(([A-Z][A-Z0-9_]+)\)\s*$/s;

/** Any failure as an error of ClickHouse: the engine's own words where it had some. */
export function asClickhouseError(error: unknown): ClickhouseError {
  if (error instanceof ClickhouseError) return error;
  if (error instanceof SqlRefusedError)
    return error.cause === undefined ? new ClickhouseError("READONLY", error.message) : asClickhouseError(error.cause);
  if (!(error instanceof Error)) return new ClickhouseError("UNKNOWN_EXCEPTION", String(error));
  const [, code, message, kind] = engineError.exec(error.message) ?? [];
  if (kind !== undefined) return new ClickhouseError(kind, message ?? "", { code: Number(code), cause: error });
  // A remote server's error, as @clickhouse/client gives it.
  if ("code" in error && "type" in error && /^\d+$/.test(String(error.code)))
    return new ClickhouseError(String(error.type), error.message.trim(), { code: Number(error.code), cause: error });
  if (/^the store is busy/.test(error.message))
    return new ClickhouseError("TOO_MANY_SIMULTANEOUS_QUERIES", error.message, { cause: error });
  if (/^the store is closed|abort/i.test(error.message))
    return new ClickhouseError("ABORTED", error.message, { cause: error });
  return new ClickhouseError("UNKNOWN_EXCEPTION", error.message, { cause: error });
}
