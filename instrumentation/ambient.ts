/**
 * The application's active span: OpenTelemetry's, else that of another vendor. It is read through the API's global
 * registry and not through our own copy of `@opentelemetry/api`: a copy refuses to work with an older registered one,
 * and the application's may be any 1.x.
 */

import { asLabel } from "./clients/json.ts";
import { activeVendorSpan } from "./vendors.ts";

export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}

export interface ActiveSpan {
  readonly ids: SpanIds;
  /** The parent of the active span, where its SDK shows it. */
  readonly parentIds: SpanIds | undefined;
  /** True when the span itself stands for a call of a model and is billed by collectors. */
  readonly billable: boolean;
  setAttribute(key: string, value: string | number | boolean | readonly string[]): void;
  /** The SDK's span object: the identity that tells two calls within one span. */
  readonly key: object;
}

interface ForeignSpan {
  spanContext?(): SpanIds;
  isRecording?(): boolean;
  setAttribute?(key: string, value: unknown): unknown;
  attributes?: Record<string, unknown>;
  parentSpanContext?: SpanIds;
}

interface ApiRegistry {
  context?: { active?(): { getValue?(key: symbol): unknown } };
  trace?: { getDelegate?(): object };
}

const registryKey = Symbol.for("opentelemetry.js.api.1");
const spanKey = Symbol.for("OpenTelemetry Context Key SPAN");
const billableOperations = new Set(["chat", "text_completion", "generate_content", "embeddings"]);
const billableAiSdk = /\.do(Generate|Stream|Embed)$/;

function registry(): ApiRegistry | undefined {
  return (globalThis as unknown as Record<symbol, ApiRegistry | undefined>)[registryKey];
}

/** True when some OpenTelemetry SDK has registered itself in this process. */
export function hasForeignSdk(): boolean {
  const provider = registry()?.trace;
  return provider !== undefined;
}

/** The active span with a valid context, or null. Never throws. */
export function activeSpan(): ActiveSpan | null {
  try {
    const span = registry()?.context?.active?.()?.getValue?.(spanKey) as ForeignSpan | undefined;
    const ids = span?.spanContext?.();
    if (span === undefined || ids === undefined || !/[1-9a-f]/.test(ids.traceId)) return vendorSpan();
    return {
      ids,
      parentIds: span.parentSpanContext,
      billable: span.isRecording?.() === true && isBillable(span.attributes ?? {}),
      setAttribute: (key, value) => void span.setAttribute?.(key, value),
      key: span,
    };
  } catch {
    return null;
  }
}

/** Spans of other vendors give the call its trace; they are never billable, since no collector gets them. */
function vendorSpan(): ActiveSpan | null {
  const span = activeVendorSpan();
  return span === null ? null : { ...span, parentIds: undefined, billable: false, setAttribute() {} };
}

function isBillable(attributes: Record<string, unknown>): boolean {
  const operation = asLabel(attributes["gen_ai.operation.name"]);
  if (operation !== undefined) return billableOperations.has(operation);
  const aiSdk = asLabel(attributes["ai.operationId"]);
  if (aiSdk !== undefined) return billableAiSdk.test(aiSdk);
  const kind = attributes["openinference.span.kind"];
  return kind === "LLM" || kind === "EMBEDDING";
}
