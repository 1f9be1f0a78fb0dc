/** From the body of an export to what goes into the spans log, in one step without I/O: it may run in any thread. */

import { type DecodeLimits, MalformedExportError, type SpanFilter } from "../ingest/decoded-export.ts";
import { type EncodedExport, encodeExport, type SpansLayout } from "../ingest/encoded-export.ts";
import { decodeJsonExport } from "../ingest/otlp-json.ts";
import { decodeProtobufExport } from "../ingest/otlp-protobuf.ts";
import { type ContentCoding, inflateBytes, tooLargeCode } from "./inflate-body.ts";
import type { OtlpEncoding } from "./otlp-answers.ts";

/** A whole body as it arrived. */
export interface ExportBody {
  readonly bytes: Uint8Array;
  readonly coding: ContentCoding;
  readonly encoding: OtlpEncoding;
  /** Unix milliseconds. */
  readonly arrivedAtMs: number;
}

export interface PrepareRules {
  readonly limits: DecodeLimits;
  /** How long ago a span may have begun. */
  readonly oldestMs: number;
  readonly filter: SpanFilter;
  readonly layout: SpansLayout;
}

/** `overloaded`: nothing is wrong with the body, there is just no room for it now. */
export type Prepared =
  | { readonly kind: "export"; readonly encoded: EncodedExport; readonly inflatedBytes: number }
  | { readonly kind: "refused"; readonly status: 400 | 413; readonly message: string; readonly inflatedBytes: number }
  | { readonly kind: "overloaded" };

/**
 * Inflates, never beyond the limit: a bomb costs at most that limit. Then decodes, checks and encodes. Refused with 413
 * beyond the limits and with 400 where the bytes are not what the headers say. Throws only what `rules.filter` throws.
 */
export function prepareExport(body: ExportBody, rules: PrepareRules): Prepared {
  const { limits, filter, oldestMs, layout } = rules;
  const { coding, encoding, arrivedAtMs } = body;
  const bytesMax = inflatedBytesMax(encoding, limits);
  let inflatedBytes = 0;
  try {
    const bytes = coding === "identity" ? body.bytes : inflateBytes(body.bytes, coding, bytesMax);
    if (bytes.length > bytesMax) return tooLarge(encoding, bytesMax);
    inflatedBytes = bytes.length;
    const decode = encoding === "json" ? decodeJsonExport : decodeProtobufExport;
    const encoded = encodeExport(decode(bytes, limits, filter), { arrivedAtMs, oldestMs }, layout);
    return { kind: "export", encoded, inflatedBytes };
  } catch (error) {
    if (error instanceof MalformedExportError) return refused(400, error.message, inflatedBytes);
    if (inflatedBytes > 0 || !isInflateError(error)) throw error;
    return error.code === tooLargeCode
      ? tooLarge(encoding, bytesMax)
      : refused(400, `the body is not ${coding}: ${error.code}`, 0);
  }
}

/** JSON costs ten times its size in memory while it is read, and forty times the time of protobuf. */
export function inflatedBytesMax(encoding: OtlpEncoding, limits: DecodeLimits): number {
  return encoding === "json" ? Math.min(limits.jsonBytesMax, limits.inflatedBytesMax) : limits.inflatedBytesMax;
}

function isInflateError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && /^(Z_|ZSTD_|ERR_)/.test(String(error.code));
}

function tooLarge(encoding: OtlpEncoding, bytesMax: number): Prepared {
  const advice =
    encoding === "json" ? "lower the batch size of the exporter, or send protobuf" : "lower its batch size";
  return refused(413, `the inflated body is larger than ${bytesMax} bytes of ${encoding}; ${advice}`, 0);
}

function refused(status: 400 | 413, message: string, inflatedBytes: number): Prepared {
  return { kind: "refused", status, message, inflatedBytes };
}
