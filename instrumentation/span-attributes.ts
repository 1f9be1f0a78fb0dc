/** A finished call as attributes of a span: OpenTelemetry's current GenAI names, else `burnwatch.`. */

import { attributionAttributes } from "./attribution.ts";
import type { CallRecord } from "./call.ts";
import type { CallFacts, TokenFacts } from "./clients/facts.ts";
import type { KeyedHash } from "./keyed-hash.ts";
import { recordKeys, toolArgsHashKey } from "./protocol.ts";
import { hashToolArguments } from "./tool-hash.ts";

export type SpanAttributes = Record<string, string | number | boolean | string[]>;

const tokenKeys: readonly (readonly [keyof TokenFacts, string])[] = [
  ["input", "gen_ai.usage.input_tokens"],
  ["output", "gen_ai.usage.output_tokens"],
  ["cacheRead", "gen_ai.usage.cache_read.input_tokens"],
  ["cacheWrite", "gen_ai.usage.cache_write.input_tokens"],
  ["cacheWrite5m", "anthropic.usage.cache_creation.ephemeral_5m_input_tokens"],
  ["cacheWrite1h", "anthropic.usage.cache_creation.ephemeral_1h_input_tokens"],
  ["reasoning", "gen_ai.usage.reasoning.output_tokens"],
  ["textInput", "gen_ai.usage.text.input_tokens"],
  ["audioInput", "gen_ai.usage.audio.input_tokens"],
  ["imageInput", "gen_ai.usage.image.input_tokens"],
  ["textOutput", "gen_ai.usage.text.output_tokens"],
  ["audioOutput", "gen_ai.usage.audio.output_tokens"],
  ["imageOutput", "gen_ai.usage.image.output_tokens"],
  ["audioSeconds", recordKeys.audioSeconds],
];

/** `{operation} {model}`, as the conventions name spans. */
export function spanName(facts: CallFacts): string {
  const model = facts.requestModel ?? facts.responseModel;
  return model === undefined ? facts.operation : `${facts.operation} ${model}`;
}

/** Attributes of the call; texts of prompts, answers and errors are not among what it is given. */
export function spanAttributes(record: CallRecord, hash: KeyedHash): SpanAttributes {
  const { facts, prompt, target } = record;
  const attributes: SpanAttributes = {
    "gen_ai.operation.name": facts.operation,
    "gen_ai.provider.name": facts.provider,
    "server.address": target.host,
    "server.port": target.port,
    ...attributionAttributes(record.attribution),
  };
  const set = (key: string, value: SpanAttributes[string] | undefined) => {
    if (value !== undefined) attributes[key] = value;
  };
  set("gen_ai.request.model", facts.requestModel);
  set("gen_ai.response.model", facts.responseModel);
  set("gen_ai.response.id", facts.responseId);
  if (facts.finishReasons.length > 0) set("gen_ai.response.finish_reasons", [...facts.finishReasons]);
  if (facts.stream) set("gen_ai.request.stream", true);
  set("gen_ai.response.time_to_first_chunk", record.firstChunkSeconds);
  if (facts.tokens !== null) for (const [name, key] of tokenKeys) set(key, facts.tokens[name]);
  const vendor = facts.provider === "anthropic" ? "anthropic" : "openai";
  set(`${vendor}.response.service_tier`, facts.serviceTier);
  set("http.response.status_code", record.status);
  set("error.type", record.errorType);
  set(recordKeys.attempt, record.attempt);
  if (record.partial) {
    set(recordKeys.partial, true);
    if (facts.stream) set(recordKeys.outputChunks, facts.outputChunks);
  }
  set(recordKeys.stablePrefix, prompt?.stablePrefixCharacters);
  set(recordKeys.prefixHash, prompt?.prefixHash);
  set(recordKeys.promptHash, record.promptHash);
  setTools(attributes, facts, hash);
  return attributes;
}

/** The first tool under the single names that collectors read, all of them as lists. */
function setTools(attributes: SpanAttributes, facts: CallFacts, hash: KeyedHash): void {
  const tools = facts.tools.filter((tool) => tool.name !== "");
  const first = tools[0];
  if (first === undefined) return;
  const hashes = tools.map((tool) => hashToolArguments(hash, tool.name, tool.arguments));
  attributes["gen_ai.tool.name"] = first.name;
  attributes[toolArgsHashKey] = hashes[0] ?? "";
  if (tools.length === 1) return;
  attributes[recordKeys.toolNames] = tools.map((tool) => tool.name);
  attributes[recordKeys.toolHashes] = hashes;
}
