/** What a span says, once its dialect has told which keys, which operation and which level. Shared by all dialects. */

import { recordKeys, toolArgsHashKey } from "../../instrumentation/protocol.ts";
import type { Attributes, Span } from "../model/span.ts";
import type { Usage } from "../model/usage.ts";
import type { Operation } from "../model/usage-record.ts";
import { firstText, hash64, text, textOf } from "./attributes.ts";
import { attributionOf } from "./attribution.ts";
import type { Level, Reading } from "./dialect.ts";
import { cacheConvention, type EmitterFacts, isGuess, mayHideCache, mayHideReasoning } from "./emitters.ts";
import { flags } from "./flags.ts";
import { modalitiesOf, withModalities } from "./modalities.ts";
import { providerName } from "./provider-names.ts";
import type { ReadingKeys } from "./reading-keys.ts";
import { reportedNanoUsd } from "./reported-usd.ts";
import { serviceTier } from "./service-tier.ts";
import { type CacheConvention, disjointUsage, type ReportedTokens } from "./token-algebra.ts";
import type { TokenReader, TokensRead } from "./token-reader.ts";

/** What a dialect decides before the keys are read. */
export interface Asked {
  readonly dialect: string;
  readonly operation: Operation;
  readonly level: Level;
  readonly emitter: EmitterFacts;
  /** The dialect's own rule on cached tokens, given the provider. */
  readonly cacheInput: (provider: string) => CacheConvention;
  readonly tokensOf: TokenReader;
  readonly jsonKeys: readonly string[];
  readonly modalities: "within" | "beside";
  /** The provider where none of its keys names it, "" where nothing does. */
  readonly otherProvider: string;
  /** Flags of the operation itself. */
  readonly flags: readonly string[];
}

const noKeys: readonly string[] = [];
const answering: ReadonlySet<Operation> = new Set(["chat", "text_completion", "generate_content", "invoke_agent"]);
/** Operations that need not report tokens. */
const tokenless: ReadonlySet<Operation> = new Set(["execute_tool", "retrieval", "rerank", "invoke_agent"]);
/** Tokens on these are copies of what was used beneath them. */
const unbilled: ReadonlySet<Operation> = new Set(["execute_tool", "retrieval"]);

/** The reading of one span. Never throws on any attribute value. */
export function readSpan(span: Span, keys: ReadingKeys, asked: Asked): Reading {
  const { attributes } = span;
  const provider = providerName(textOf(attributes, keys.provider) || asked.otherProvider);
  const requestModel = textOf(attributes, keys.requestModel);
  const found: string[] = [...asked.flags];
  const model = textOf(attributes, keys.responseModel) || requestModel;
  const read = unbilled.has(asked.operation) ? undefined : asked.tokensOf(attributes);
  const usage = read === undefined ? null : usageOf({ span, asked, provider, model, found }, read);
  const modalities = usage === null || read === undefined ? null : modalitiesOf(read.reported, usage);
  const unknownUsageKeys = read?.unknownKeys ?? noKeys;
  if (unknownUsageKeys.length > 0) found.push(flags.unknownUsageKey);
  if (Number(attributes[recordKeys.attempt] ?? 1) > 1) found.push(flags.repeatedAttempt);
  if (attributes[recordKeys.partial] === true) found.push(flags.answerCutOff);
  return {
    dialect: asked.dialect,
    operation: asked.operation,
    level: asked.level,
    attribution: attributionOf(span, keys.attribution),
    provider,
    model,
    requestModel,
    responseId: textOf(attributes, keys.responseId),
    finishReason: firstTextOf(attributes, keys.finishReason),
    serviceTier: serviceTier(textOf(attributes, keys.serviceTier)),
    errorType: text(attributes["error.type"]),
    tool: textOf(attributes, keys.tool) || (read === undefined ? textOf(attributes, keys.executedTool) : ""),
    toolArgsHash: text(attributes[toolArgsHashKey]),
    promptHash: hash64(attributes[recordKeys.promptHash]),
    outcome: text(attributes["burnwatch.outcome"]),
    usage,
    modalities,
    reportedNanoUsd: keys.cost.length === 0 ? null : costOf(attributes, keys.cost, found),
    unknownUsageKeys,
    flags: found,
  };
}

function firstTextOf(attributes: Attributes, keys: readonly string[]): string {
  for (const key of keys) {
    const value = attributes[key];
    if (value !== undefined) return firstText(value);
  }
  return "";
}

interface UsageQuestion {
  readonly span: Span;
  readonly asked: Asked;
  readonly provider: string;
  readonly model: string;
  /** Takes the flags. */
  readonly found: string[];
}

function usageOf(question: UsageQuestion, { reported, dropped }: TokensRead): Usage | null {
  const { span, asked, provider, model, found } = question;
  const { emitter, operation } = asked;
  if (dropped) found.push(flags.tokenCountDropped);
  const convention = cacheConvention(emitter, provider, asked.cacheInput(provider));
  // Embeddings have no output, so that a total is all input.
  const hasOutput = operation !== "embeddings" || reported.output !== undefined;
  const complete = hasOutput || reported.total === undefined ? reported : { ...reported, output: 0 };
  const { usage: told, flags: doubts } = disjointUsage(complete, convention);
  const usage = told !== null && asked.modalities === "beside" ? withModalities(told, reported) : told;
  for (const doubt of doubts) found.push(doubt);
  const unreadable = asked.jsonKeys.some((key) => span.attributes[key] !== undefined);
  if (unreadable) found.push(flags.usageUnreadable);
  if (usage !== null) {
    const streamed = span.attributes["gen_ai.request.stream"] === true;
    if (answering.has(operation)) flagHidden({ reported, usage, emitter, provider, model, streamed }, found);
  } else if (!unreadable && !tokenless.has(operation) && succeeded(span)) found.push(flags.usageUnreported);
  return usage;
}

function succeeded({ status, attributes }: Span): boolean {
  return status === "ok" && attributes["error.type"] === undefined;
}

interface Told {
  readonly reported: ReportedTokens;
  readonly usage: Usage;
  readonly emitter: EmitterFacts;
  readonly provider: string;
  readonly model: string;
  readonly streamed: boolean;
}

/** Counts that the provider knows and this emitter does not tell. */
function flagHidden({ reported, usage, emitter, provider, model, streamed }: Told, found: string[]): void {
  const { cacheRead } = reported;
  if (isGuess(emitter, model)) found.push(flags.usageEstimated);
  if (mayHideCache(emitter, { provider, inputTokens: usage.input, cacheRead, streamed })) {
    found.push(flags.cacheUnreported);
  }
  if (reported.reasoning === undefined && usage.output > 0 && mayHideReasoning(emitter, provider)) {
    found.push(flags.reasoningUnreported);
  }
  if (usage.cacheWrite5m > 0 && reported.cacheWrite5m === undefined && reported.cacheWrite1h === undefined) {
    // Only Anthropic's cache has lifetimes of different prices, whoever serves its models.
    if (provider === "anthropic" || model.includes("claude")) found.push(flags.cacheTtlAssumed);
  }
}

function costOf(attributes: Attributes, keys: readonly string[], found: string[]): number | null {
  for (const key of keys) {
    const value = attributes[key];
    if (value === undefined) continue;
    const nanoUsd = reportedNanoUsd(value);
    // Emitters write 0 for models whose price they do not know.
    if (nanoUsd !== undefined) return nanoUsd === 0 ? null : nanoUsd;
    found.push(flags.reportedCostDropped);
    return null;
  }
  return null;
}
