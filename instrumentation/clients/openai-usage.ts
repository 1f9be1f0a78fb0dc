/** The `usage` object of OpenAI's APIs and of the servers that copy them. */

import type { TokenFacts } from "./facts.ts";
import { asCount, asObject } from "./json.ts";

/**
 * Reads both spellings (`prompt_tokens` of chat, `input_tokens` of responses, images and transcriptions).
 * Cached tokens are part of the input and reasoning part of the output, except where the total shows that reasoning
 * was counted beside the output (x.ai); then it is added.
 */
export function readOpenaiUsage(value: unknown): TokenFacts | null {
  const usage = asObject(value);
  if (usage === null) return null;
  const inputDetails =
    asObject(usage["prompt_tokens_details"]) ??
    asObject(usage["input_tokens_details"]) ??
    asObject(usage["input_token_details"]);
  const outputDetails =
    asObject(usage["completion_tokens_details"]) ??
    asObject(usage["output_tokens_details"]) ??
    asObject(usage["output_token_details"]);
  const input = asCount(usage["prompt_tokens"]) ?? asCount(usage["input_tokens"]);
  let output = asCount(usage["completion_tokens"]) ?? asCount(usage["output_tokens"]);
  const total = asCount(usage["total_tokens"]);
  const reasoning = asCount(outputDetails?.["reasoning_tokens"]);
  if (input === undefined && output === undefined && asCount(usage["seconds"]) === undefined) return null;
  if (reasoning && output !== undefined && total === (input ?? 0) + output + reasoning) output += reasoning;
  const tokens: TokenFacts = {};
  set(tokens, "input", input);
  set(tokens, "output", output);
  set(
    tokens,
    "cacheRead",
    asCount(inputDetails?.["cached_tokens"]) ??
      asCount(usage["prompt_cache_hit_tokens"]) ??
      asCount(usage["cached_tokens"]),
  );
  set(tokens, "cacheWrite", asCount(inputDetails?.["cache_write_tokens"]));
  set(tokens, "reasoning", reasoning);
  set(tokens, "textInput", asCount(inputDetails?.["text_tokens"]));
  set(tokens, "audioInput", asCount(inputDetails?.["audio_tokens"]));
  set(tokens, "imageInput", asCount(inputDetails?.["image_tokens"]));
  set(tokens, "textOutput", asCount(outputDetails?.["text_tokens"]));
  set(tokens, "audioOutput", asCount(outputDetails?.["audio_tokens"]));
  set(tokens, "imageOutput", asCount(outputDetails?.["image_tokens"]));
  const seconds = usage["seconds"];
  if (typeof seconds === "number" && seconds >= 0) tokens.audioSeconds = seconds;
  return tokens;
}

function set(tokens: TokenFacts, key: keyof TokenFacts, count: number | undefined): void {
  if (count !== undefined) tokens[key] = count;
}
