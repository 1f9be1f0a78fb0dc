/** What is known of single emitters beyond the conventions they follow: by scope, version and provider. */

import type { Level } from "./dialect.ts";
import { type Scope, scopeMatches, scopeOf, versionBelow } from "./scope.ts";
import type { CacheConvention } from "./token-algebra.ts";

/** A row of the table. What a row leaves out is decided by the next one that fits, then by the dialect. */
interface Emitter {
  /** Scope name, or a prefix that ends in `*`. */
  readonly scope: string;
  /** Only versions below this one. */
  readonly below?: string;
  /** Only calls of this provider, as OpenTelemetry spells it. */
  readonly provider?: string;
  readonly cacheInput?: CacheConvention;
  /** Counts that this emitter does not tell, although providers do; of streams some say 0. */
  readonly silentOnCache?: "always" | "streamed";
  readonly silentOnReasoning?: boolean;
  /** Models whose counts are guessed from the length of texts. */
  readonly guesses?: RegExp;
  readonly level?: Level;
}

/** Observed against a provider with known usage unless a source is named; the first row that fits and speaks wins. */
const emitters: readonly Emitter[] = [
  { scope: "@burnwatch/instrumentation", cacheInput: "included" },
  { scope: "burnwatch-replay", cacheInput: "included" },
  { scope: "com.anthropic.sdk.*", cacheInput: "included" },
  // JavaScript, up to 0.22: neither cached nor reasoning tokens.
  {
    scope: "@opentelemetry/instrumentation-openai",
    below: "0.23.0",
    cacheInput: "included",
    silentOnCache: "always",
    silentOnReasoning: true,
  },
  // Bedrock's invocations: what is cached is not told, and of these makers' requests the characters are counted [src].
  { scope: "@opentelemetry/instrumentation-aws-sdk", silentOnCache: "always", guesses: /(?:^|\.)(?:cohere|mistral)\./ },
  { scope: "@opentelemetry/*", cacheInput: "included" },
  // Published 0.27.0 leaves cached tokens out; the repository included them under the same number (openllmetry-js#1028).
  {
    scope: "@traceloop/instrumentation-anthropic",
    below: "0.28.0",
    provider: "anthropic",
    cacheInput: "probably_excluded",
  },
  {
    scope: "@traceloop/instrumentation-openai",
    below: "0.28.0",
    cacheInput: "included",
    silentOnCache: "always",
    silentOnReasoning: true,
  },
  // Python's adds cached tokens to the input it reports (opentelemetry-instrumentation-anthropic, _set_token_usage).
  { scope: "opentelemetry.instrumentation.anthropic", cacheInput: "included" },
  // The SDK around which it stands tells of itself since 0.134.0.
  { scope: "@arizeai/openinference-instrumentation-anthropic", cacheInput: "included", level: "wrapper" },
  // AI SDK 5 tells both only of streams; 4 to 6 are one scope without a version.
  { scope: "ai", silentOnCache: "always", silentOnReasoning: true },
  // `@ai-sdk/otel` of AI SDK 7 uses exactly this scope.
  { scope: "gen_ai", cacheInput: "included", silentOnReasoning: true },
  // Python's OpenLIT 1.45: of Anthropic's streams it takes the usage that comes last, which has no cache.
  { scope: "openlit.instrumentation.anthropic", silentOnCache: "streamed" },
  { scope: "openlit.instrumentation.*", silentOnReasoning: true },
  // Node's OpenLIT 1.15: around a client that tells of itself, and of streams it counts the first output token twice.
  { scope: "@openlit/instrumentation-anthropic", level: "wrapper" },
  { scope: "@openlit/*", silentOnReasoning: true },
  { scope: "@sentry/*", silentOnReasoning: true },
  // LiteLLM's callback drops the details (litellm#23990).
  { scope: "litellm", cacheInput: "included", silentOnCache: "always", silentOnReasoning: true },
];

/** Frameworks call clients that may be instrumented, too: their model spans may wrap the billed one. */
const framework =
  /lang(?:chain|graph)|llama[-_]?index|haystack|crew[-_]?ai|autogen|pydantic[-_]ai|semantic[-_]kernel|agents?[-_](?:sdk|framework)|openai[-_]agents|strands|dspy|litellm|smolagents|mastra/i;

/** What is known of one scope. */
export interface EmitterFacts {
  readonly scope: Scope;
  readonly isFramework: boolean;
  readonly rows: readonly Emitter[];
}

const remembered = new Map<string, EmitterFacts>();
const rememberedMax = 1000;

/** The facts about a span's scope, `name` or `name@version`; looked up once per scope. */
export function emitterOf(scope: string): EmitterFacts {
  const known = remembered.get(scope);
  if (known !== undefined) return known;
  const parts = scopeOf(scope);
  const rows = emitters.filter(
    (row) => scopeMatches(row.scope, parts.name) && (row.below === undefined || versionBelow(parts.version, row.below)),
  );
  const facts = { scope: parts, isFramework: framework.test(parts.name), rows };
  if (remembered.size >= rememberedMax) remembered.clear();
  remembered.set(scope, facts);
  return facts;
}

/**
 * Providers whose own input count includes cached tokens; emitters pass it on. Vertex and Bedrock serve models of several
 * makers with different ways of counting and are not among them.
 */
const inclusiveProviders: ReadonlySet<string> = new Set([
  "openai",
  "azure.ai.openai",
  "azure.ai.inference",
  "gcp.gemini",
  "deepseek",
  "x_ai",
  "groq",
  "mistral_ai",
  "moonshot_ai",
  "openrouter",
  "fireworks",
  "together",
]);

/** By the table, then by the dialect's own rule, then by what the provider itself reports. */
export function cacheConvention(facts: EmitterFacts, provider: string, ofDialect: CacheConvention): CacheConvention {
  for (const row of facts.rows) {
    if (row.cacheInput !== undefined && speaksOf(row, provider)) return row.cacheInput;
  }
  if (ofDialect !== "unknown") return ofDialect;
  return inclusiveProviders.has(provider) ? "included" : "unknown";
}

/** OpenAI caches prompts of 1,024 tokens and more: below it there is nothing that an emitter could leave out. */
const openaiCachedInputMin = 1024;

/** What a span says of one call that some emitters do not tell whole. */
export interface CallAsTold {
  readonly provider: string;
  readonly inputTokens: number;
  readonly cacheRead: number | undefined;
  readonly streamed: boolean;
}

/** Whether cached tokens may hide in the input of a call. */
export function mayHideCache(facts: EmitterFacts, { provider, inputTokens, cacheRead, streamed }: CallAsTold): boolean {
  if (provider === "openai" && inputTokens < openaiCachedInputMin) return false;
  return facts.rows.some(
    (row) =>
      speaksOf(row, provider) &&
      ((row.silentOnCache === "always" && cacheRead === undefined) ||
        (row.silentOnCache === "streamed" && streamed && cacheRead === 0)),
  );
}

/** Whether the counts of this model are guesses. */
export function isGuess(facts: EmitterFacts, model: string): boolean {
  return facts.rows.some((row) => row.guesses?.test(model) === true);
}

/** Whether reasoning tokens may hide in the output of a call for which none were reported; Anthropic itself tells none. */
export function mayHideReasoning(facts: EmitterFacts, provider: string): boolean {
  if (provider === "anthropic") return false;
  return facts.rows.some((row) => row.silentOnReasoning === true && speaksOf(row, provider));
}

/** The level that is known of an emitter, undefined where its dialect decides. */
export function emitterLevel(facts: EmitterFacts): Level | undefined {
  for (const row of facts.rows) if (row.level !== undefined) return row.level;
  return facts.isFramework ? "wrapper" : undefined;
}

function speaksOf(row: Emitter, provider: string): boolean {
  return row.provider === undefined || row.provider === provider;
}
