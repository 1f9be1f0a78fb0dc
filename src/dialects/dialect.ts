/** One family of attribute conventions: which spans it speaks for, and what they say. Pure. */

import type { NanoUsd } from "../model/money.ts";
import type { AttributeValue, Span } from "../model/span.ts";
import type { Modalities, Usage } from "../model/usage.ts";
import type { Attribution, Operation } from "../model/usage-record.ts";

/**
 * Where a span stands between the application and the provider; it decides when the span is billed.
 *
 * `provider`: the span of one request to a provider, made by what sends that request (an instrumented client, the AI
 * SDK's `.doGenerate`, the native span of an SDK). It is billed at once.
 *
 * `wrapper`: a span that may have such a request, or a retelling of it, beneath it: roll-ups (`ai.generateText`,
 * `invoke_agent`, chains, steps), model spans of frameworks that call clients (LangChain, pydantic-ai, LangSmith), spans
 * that people open around a client (Langfuse, manual OpenInference), gateways (LiteLLM), third-party spans around a
 * client that tells of itself (OpenInference around Anthropic). It is held until its trace is quiet and billed only if no
 * provider-level span of the same call was seen.
 *
 * The rule for a new dialect: `provider` only where the scope names a client's instrumentation or the span's own kind
 * rules out a billed descendant; in doubt `wrapper`, because half a minute late is better than twice.
 *
 * Operations that nobody bills (tools, retrieval) repeat no call and are `provider`, whatever they stand around.
 *
 * No reading is forbidden to bill. Spans that are sums by definition (agents, workflows, steps) are read as operation
 * `invoke_agent` only where they carry tokens, are always wrappers and carry the flag `usage_aggregated`: where nothing
 * beneath them was seen, an estimate is better than lost money. What repeats no call at all (`create_agent`,
 * `fetch_response`, `count_tokens`, evaluators) is not read.
 */
export type Level = "provider" | "wrapper";

/** How the provider served the call, where the span says so; "" where unknown. It changes the price. */
export type ServiceTier = "" | "default" | "batch" | "flex" | "priority";

/** What a span says of one operation, before role and price. */
export interface Reading {
  /** Name of the dialect that read it. */
  readonly dialect: string;
  readonly operation: Operation;
  readonly level: Level;
  readonly attribution: Attribution;
  /** Provider id as OpenTelemetry spells it; "" where unknown. */
  readonly provider: string;
  readonly model: string;
  readonly requestModel: string;
  readonly responseId: string;
  readonly finishReason: string;
  readonly serviceTier: ServiceTier;
  readonly errorType: string;
  readonly tool: string;
  readonly toolArgsHash: string;
  readonly promptHash: string;
  readonly outcome: string;
  /** Null when the span reports no tokens at all. */
  readonly usage: Usage | null;
  readonly modalities: Modalities | null;
  /** The emitter's own figure, rounded half to even to nano-dollars; null where it gives none. */
  readonly reportedNanoUsd: NanoUsd | null;
  /** Keys of usage families with a count above zero that this dialect has no bucket for; at most 8. Flagged, too. */
  readonly unknownUsageKeys: readonly string[];
  /** Doubts and facts about the counts, see `flags.ts`. */
  readonly flags: readonly string[];
}

/** A span as its producer sends it, with what it says, written down for the suite that runs over all dialects. */
export interface DialectExample {
  readonly name: string;
  /** Instrumentation scope, `name` or `name@version`; without it the span is recognised by its keys. */
  readonly scope?: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly expected: Partial<Omit<Reading, "usage" | "attribution">> & {
    readonly usage?: Partial<Usage> | null;
    readonly attribution?: Partial<Attribution>;
  };
}

export interface Dialect {
  readonly name: string;
  /** Scope names this dialect speaks for whatever the keys: exact, or a prefix that ends in `*`. */
  readonly scopes: readonly string[];
  /** Exact attribute keys this dialect reads; with the prefixes, the allow-list of what is kept of a span. */
  readonly keys: readonly string[];
  /** Prefixes of numeric families, e.g. `gen_ai.usage.`: of their values only numbers are kept. */
  readonly keyPrefixes: readonly string[];
  /** Keys whose value is JSON: on arrival it becomes its numbers, each under `key.path`, as far as those are allowed. */
  readonly jsonKeys: readonly string[];
  /** Keys of which any one tells that a span whose scope nobody claims is of this family. */
  readonly signature: readonly string[];
  /** Whether `read` gives a reading of a span of this dialect; cheap, since it is asked for every span on arrival. */
  keeps(span: Span): boolean;
  /** What the span says, or null when it is no operation that is kept. Never throws on any attribute value. */
  read(span: Span): Reading | null;
  readonly examples: readonly DialectExample[];
}
