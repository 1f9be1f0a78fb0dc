/** One decoded OTLP span with its resource and scope: what a dialect reads. */

export type AttributeValue = string | number | boolean | readonly AttributeValue[];

export type Attributes = Readonly<Record<string, AttributeValue>>;

export interface Span {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  /** 16 lower-case hex digits, or "" for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  /** Instrumentation scope, `name` or `name@version`. */
  readonly scope: string;
  /** Unix time in microseconds; 0 when the producer sent none. */
  readonly startUs: number;
  /** Unix time in microseconds; 0 when the producer sent none. */
  readonly endUs: number;
  readonly status: "ok" | "error";
  /** Allow-listed attributes only: prompts and completions never get this far. */
  readonly attributes: Attributes;
  readonly resource: Attributes;
}
