/** Spans of the load, as OTLP/JSON, with what each must cost. */

import { completenessKeys } from "../../instrumentation/protocol.ts";
import type { Random } from "../../src/ingest/otlp-random.ts";
import { callNanoUsd } from "../support/printed-rates.ts";

export interface ChaosSpan {
  /** Tenant, trace and span in one text: the identity. */
  readonly identity: string;
  /** As the store shows it: dollars with nine digits, or "null". */
  readonly costUsd: string;
  readonly input: number;
  readonly output: number;
  /** Who made it; its number among the records of that producer, 0 when it is not numbered. */
  readonly producer: string;
  readonly otlp: unknown;
  /** An agent's span around it, which tells the same tokens and must not be billed; null where there is none. */
  readonly wrapper: unknown;
}

export interface SpanOptions {
  readonly producer: string;
  readonly sequence: number;
  readonly tenant: string;
  readonly feature: string;
  /** Unix milliseconds of its end. */
  readonly atMs: number;
  readonly input: number;
  readonly output: number;
  /** Of the input; none by default. */
  readonly cached?: number;
  /** gpt-4o by default; no list knows a price of `unknownModel`. */
  readonly model?: string;
  /** True for a span with an agent's span around it. */
  readonly wrapped?: boolean;
}

export const unknownModel = "nobody-knows-1";

/** One chat span with ids of the seed. */
export function chaosSpan(options: SpanOptions, random: Random): ChaosSpan {
  const { producer, sequence, input, output, cached = 0, model = "gpt-4o", wrapped = false } = options;
  const [traceId, spanId, parentSpanId] = [hex(random, 4), hex(random, 2), wrapped ? hex(random, 2) : ""];
  const around: Place = { traceId, spanId: parentSpanId, parentSpanId: "", operation: "invoke_agent", sequence: 0 };
  return {
    identity: `${options.tenant} ${traceId} ${spanId}`,
    costUsd: model === unknownModel ? "null" : dollars(callNanoUsd(model, { input, cached, output })),
    input,
    output,
    producer,
    otlp: otlpSpan(options, { traceId, spanId, parentSpanId, operation: "chat", sequence }),
    wrapper: wrapped ? otlpSpan(options, around) : null,
  };
}

interface Place {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly operation: "chat" | "invoke_agent";
  readonly sequence: number;
}

function otlpSpan(options: SpanOptions, { traceId, spanId, parentSpanId, operation, sequence }: Place): unknown {
  const { tenant, feature, atMs, input, output, cached = 0, model = "gpt-4o" } = options;
  return {
    traceId,
    spanId,
    parentSpanId,
    name: `${operation} ${model}`,
    kind: 3,
    startTimeUnixNano: `${atMs - 100}000000`,
    endTimeUnixNano: `${atMs}000000`,
    attributes: [
      text("gen_ai.operation.name", operation),
      text("gen_ai.provider.name", model.startsWith("claude") ? "anthropic" : "openai"),
      text("gen_ai.request.model", model),
      text("burnwatch.tenant", tenant),
      text("burnwatch.feature", feature),
      integer("gen_ai.usage.input_tokens", input),
      integer("gen_ai.usage.output_tokens", output),
      ...(cached > 0 ? [integer("gen_ai.usage.cache_read.input_tokens", cached)] : []),
      ...(sequence > 0 ? [integer(completenessKeys.sequence, sequence)] : []),
    ],
  };
}

/** An export request; each span keeps the resource of its own producer, whoever sends it again. */
export function requestOf(spans: readonly ChaosSpan[]): string {
  return request(spans, ({ otlp, wrapper }) => (wrapper === null ? [otlp] : [wrapper, otlp]));
}

/** A request with nothing but the wrappers of these spans, as of an exporter that flushes in the middle of a run. */
export function wrappersOf(spans: readonly ChaosSpan[]): string {
  return request(spans, ({ wrapper }) => (wrapper === null ? [] : [wrapper]));
}

function request(spans: readonly ChaosSpan[], sentOf: (span: ChaosSpan) => readonly unknown[]): string {
  const byProducer = Map.groupBy(spans, ({ producer }) => producer);
  return JSON.stringify({
    resourceSpans: [...byProducer].map(([producer, own]) => ({
      resource: { attributes: [text("service.name", "chaos"), text(completenessKeys.producer, producer)] },
      scopeSpans: [{ scope: { name: "chaos" }, spans: own.flatMap(sentOf) }],
    })),
  });
}

function dollars(nanoUsd: bigint): string {
  const digits = nanoUsd.toString().padStart(10, "0");
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

function hex(random: Random, words: number): string {
  return Array.from({ length: words }, () => (1 + random(0xffff_fffe)).toString(16).padStart(8, "0")).join("");
}

function text(key: string, value: string) {
  return { key, value: { stringValue: value } };
}

function integer(key: string, value: number) {
  return { key, value: { intValue: String(value) } };
}
