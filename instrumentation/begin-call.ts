/** From a request to a call: which wire API it is, what it asks for, for whom, and what must be added to it. */

import { type ActiveSpan, activeSpan } from "./ambient.ts";
import { attributionAttributes } from "./attribution.ts";
import { type Call, type CallRecord, startCall } from "./call.ts";
import type { Target, WireClient } from "./clients/client.ts";
import type { CallFacts } from "./clients/facts.ts";
import { asObject, type JsonObject, parseJson } from "./clients/json.ts";
import { clientAt, fallbackProvider } from "./clients/list.ts";
import { providerOf } from "./clients/provider.ts";
import { hashPrompt } from "./prompt-hash.ts";
import { rememberPrefixes } from "./prompt-prefix.ts";
import { countAttempts } from "./retries.ts";
import type { Runtime } from "./runtime.ts";
import { type SpanAttributes, spanAttributes, spanName } from "./span-attributes.ts";

export interface OutgoingRequest {
  readonly target: Target;
  /** The body as text, form fields, or null where it is a stream or binary. */
  readonly body: string | JsonObject | null;
  /** False where the body can no longer be changed. */
  readonly changeable?: boolean;
  /** A header of the request, lower-case name. */
  header(name: string): string | undefined;
}

/** A request that is a call of a model. */
export interface ModelRequest {
  /** The body to send in place of the application's, where usage has to be asked for. */
  readonly body: string | undefined;
  /** Begins its call, once, in the same turn as its sending. `startMs`: when it was sent; now, unless set. */
  begin(startMs?: number): Call;
}

/** Null means: no call of a model, let it pass untouched. */
export type Recognise = (request: OutgoingRequest) => ModelRequest | null;

const bodyCharactersMax = 8_388_608;
const callsInFlightMax = 8192;

/** Recognises calls for one process. What the request need not wait for is left to `begin`. */
export function recogniseCalls(runtime: Runtime): Recognise {
  const prefixes = rememberPrefixes(runtime.hash);
  const attempts = countAttempts();
  const usedSpans = new WeakSet<object>();
  const begin = (recognised: Recognised, startMs: number): Call => {
    const { client, request, facts, body, text } = recognised;
    const attribution = runtime.attributions.getStore() ?? {};
    const series = `${attribution.feature ?? ""}|${request.target.host}|${facts.requestModel ?? ""}`;
    const prompt = body === null ? null : prefixes.measure(series, client.promptTexts(body));
    const parent = activeSpan();
    // At once and not at the end: by then a native span may have ended.
    if (parent?.billable === true) annotate(parent, attributionAttributes(attribution));
    const call = startCall({
      client,
      target: request.target,
      facts,
      attribution,
      parent,
      prompt,
      promptHash: promptHashOf(recognised, runtime),
      attempt: attempts.begin(text, request.header("x-stainless-retry-count")),
      injectedUsage: recognised.changedBody !== undefined,
      startMs,
      nowMs,
      fault: () => {
        runtime.counters.faults += 1;
      },
      ended: (record, self) => {
        runtime.callsInFlight.delete(self);
        attempts.ended(text, record);
        emit(runtime, record, usedSpans);
      },
    });
    runtime.counters.calls += 1;
    limitInFlight(runtime);
    runtime.callsInFlight.add(call);
    return call;
  };
  return (request) => {
    const recognised = recognise(runtime, request);
    if (recognised === null) return null;
    return { body: recognised.changedBody, begin: (startMs = nowMs()) => begin(recognised, startMs) };
  };
}

interface Recognised {
  readonly request: OutgoingRequest;
  readonly client: WireClient;
  readonly facts: CallFacts;
  readonly body: JsonObject | null;
  readonly text: string | undefined;
  readonly changedBody: string | undefined;
}

function recognise(runtime: Runtime, request: OutgoingRequest): Recognised | null {
  const client = clientAt(request.target);
  if (client === undefined) return null;
  const text = typeof request.body === "string" ? request.body : undefined;
  const body = text === undefined ? asObject(request.body) : readBody(text);
  if (body === null ? !acceptsUnread(client, request, text) : !client.accepts(body, request.target)) return null;
  const facts = newFacts(client, request.target, runtime);
  if (body !== null) client.readRequest(body, request.target, facts);
  const changedBody =
    text !== undefined &&
    body !== null &&
    request.changeable !== false &&
    asksForUsage(client, facts, body) &&
    !runtime.refusingHosts.has(hostKey(request.target))
      ? withStreamUsage(text, body)
      : undefined;
  return { request, client, facts, body, text, changedBody };
}

/** Of JSON only: the fields of a form leave out its file. */
function promptHashOf({ client, facts, body, text }: Recognised, { hash }: Runtime): string | undefined {
  if (body === null || text === undefined) return undefined;
  return hashPrompt(hash, { api: client.name, model: facts.requestModel, body, characters: text.length });
}

/** Milliseconds since the epoch, monotonic within the process, with fractions. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The name under which a host is remembered. */
export function hostKey(target: Target): string {
  return `${target.host}:${target.port}`;
}

/** A text that is short enough to read and yet no JSON is nobody's call. */
function acceptsUnread(client: WireClient, request: OutgoingRequest, text: string | undefined): boolean {
  if (text !== undefined && text.length <= bodyCharactersMax) return false;
  return client.acceptsUnread?.(request.header) === true;
}

function readBody(text: string): JsonObject | null {
  return text.length > bodyCharactersMax ? null : asObject(parseJson(text));
}

function newFacts(client: WireClient, target: Target, runtime: Runtime): CallFacts {
  return {
    operation: client.operation,
    provider: providerOf(target, fallbackProvider(client), runtime.settings.providers),
    requestModel: undefined,
    responseModel: undefined,
    responseId: undefined,
    finishReasons: [],
    stream: false,
    tokens: null,
    serviceTier: undefined,
    tools: [],
    outputChunks: 0,
    finished: false,
  };
}

function asksForUsage(client: WireClient, facts: CallFacts, body: JsonObject): boolean {
  if (client.asksForStreamUsage !== true || !facts.stream) return false;
  return asObject(body["stream_options"])?.["include_usage"] === undefined;
}

/** Adds `stream_options.include_usage` and leaves every other byte of the body as it is. */
function withStreamUsage(text: string, body: JsonObject): string {
  if (body["stream_options"] === undefined) {
    const brace = text.indexOf("{") + 1;
    return `${text.slice(0, brace)}"stream_options":{"include_usage":true},${text.slice(brace)}`;
  }
  return JSON.stringify({ ...body, stream_options: { ...asObject(body["stream_options"]), include_usage: true } });
}

function limitInFlight(runtime: Runtime): void {
  if (runtime.callsInFlight.size < callsInFlightMax) return;
  for (const oldest of runtime.callsInFlight) {
    oldest.fail({ name: "unfinished" });
    return;
  }
}

/**
 * Hands the record over. Where the active span already stands for the call (native spans of an SDK), it is annotated
 * and the record is written under that span's own identity: a collector that gets both keeps one. Only the first
 * successful call within such a span takes its identity; failed attempts and further calls are spans of their own.
 */
function emit(runtime: Runtime, record: CallRecord, usedSpans: WeakSet<object>): void {
  const { parent, facts } = record;
  const annotated = parent?.billable === true && record.errorType === undefined && !usedSpans.has(parent.key);
  if (annotated) {
    usedSpans.add(parent.key);
    annotate(parent, ownFacts(spanAttributes(record, runtime.hash)));
  }
  runtime.pipeline?.record({
    name: spanName(facts),
    kind: "client",
    startMs: record.startMs,
    endMs: record.endMs,
    // Arguments of tools are hashed now, so that no text waits for the collector.
    attributes:
      facts.tools.length > 0 ? spanAttributes(record, runtime.hash) : () => spanAttributes(record, runtime.hash),
    failed: record.errorType !== undefined,
    parent: annotated ? parent.parentIds : parent?.ids,
    identity: annotated ? parent.ids : undefined,
  });
}

function annotate(span: ActiveSpan, attributes: SpanAttributes): void {
  for (const [key, value] of Object.entries(attributes)) span.setAttribute(key, value);
}

/** What native spans leave out and prices depend on: they then say the same whichever of the two arrives first. */
const usageThatNativeSpansLack = new Set([
  "gen_ai.usage.reasoning.output_tokens",
  "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
  "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
  "openai.response.service_tier",
  "anthropic.response.service_tier",
]);

/** The rest of its usage is its own. */
function ownFacts(attributes: SpanAttributes): SpanAttributes {
  const isOurs = (key: string) => key.startsWith("burnwatch.") || usageThatNativeSpansLack.has(key);
  return Object.fromEntries(Object.entries(attributes).filter(([key]) => isOurs(key)));
}
