/** Which attribute keys a dialect reads for what. In each list the first key that holds a value wins. */

import { type AttributionKeys, commonAttribution } from "./attribution.ts";

type Keys = readonly string[];

/** Keys of token counts. A dialect without a count has an empty list. */
export interface TokenKeys {
  readonly input: Keys;
  readonly uncachedInput: Keys;
  readonly cacheRead: Keys;
  /** All cache writes. */
  readonly cacheWrite: Keys;
  /** Those of 5 minutes, where a dialect has no sum. */
  readonly cacheWrite5m: Keys;
  readonly cacheWrite1h: Keys;
  readonly output: Keys;
  readonly visibleOutput: Keys;
  readonly reasoning: Keys;
  readonly total: Keys;
  /** Of all input, cached or not. */
  readonly audioInput: Keys;
  readonly audioCacheRead: Keys;
  readonly audioOutput: Keys;
  readonly imageInput: Keys;
  readonly imageCacheRead: Keys;
  readonly imageOutput: Keys;
}

export interface ReadingKeys {
  readonly provider: Keys;
  readonly requestModel: Keys;
  readonly responseModel: Keys;
  readonly responseId: Keys;
  readonly finishReason: Keys;
  readonly serviceTier: Keys;
  readonly tool: Keys;
  /** Where else the tool's name stands on the span of its execution. */
  readonly executedTool: Keys;
  /** The emitter's own cost in dollars. */
  readonly cost: Keys;
  readonly tokens: TokenKeys;
  readonly attribution: AttributionKeys;
  /** Other members of the numeric families: subsets of what a bucket already holds, and sums of no use. */
  readonly understood: Keys;
}

/** Billed as the bucket that they are part of. */
const plainModalities = ["text", "video"];

/** OpenTelemetry's GenAI keys: current, old, and the underscore variants of the field. */
export const genaiKeys: ReadingKeys = {
  provider: ["gen_ai.provider.name", "gen_ai.system"],
  requestModel: ["gen_ai.request.model"],
  responseModel: ["gen_ai.response.model"],
  responseId: ["gen_ai.response.id"],
  finishReason: ["gen_ai.response.finish_reasons", "gen_ai.response.finish_reason"],
  serviceTier: [
    "openai.response.service_tier",
    "anthropic.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
  ],
  tool: ["gen_ai.tool.name"],
  executedTool: [],
  cost: ["gen_ai.usage.cost", "gen_ai.usage.total_cost"],
  tokens: {
    input: ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"],
    uncachedInput: [],
    cacheRead: [
      "gen_ai.usage.cache_read.input_tokens",
      "gen_ai.usage.cache_read_input_tokens",
      "gen_ai.usage.cache_read_tokens",
      "gen_ai.usage.details.cache_read_tokens",
      "gen_ai.usage.details.cache_read_input_tokens",
      "gen_ai.usage.input_cached_tokens",
      "gen_ai.usage.cached_tokens",
      "gen_ai.usage.prompt_tokens_details.cached_tokens",
      "gen_ai.usage.input_tokens_details.cached_tokens",
    ],
    cacheWrite: [
      "gen_ai.usage.cache_write.input_tokens",
      "gen_ai.usage.cache_creation.input_tokens",
      "gen_ai.usage.cache_write_input_tokens",
      "gen_ai.usage.cache_creation_input_tokens",
      "gen_ai.usage.cache_write_tokens",
      "gen_ai.usage.cache_creation_tokens",
      "gen_ai.usage.details.cache_write_tokens",
      "gen_ai.usage.details.cache_creation_input_tokens",
    ],
    cacheWrite5m: ["anthropic.usage.cache_creation.ephemeral_5m_input_tokens"],
    cacheWrite1h: [
      "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
      "gen_ai.usage.cache_write.ephemeral_1h_input_tokens",
    ],
    output: ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"],
    visibleOutput: [],
    reasoning: [
      "gen_ai.usage.reasoning.output_tokens",
      "gen_ai.usage.reasoning_tokens",
      "gen_ai.usage.reasoning_output_tokens",
      "gen_ai.usage.thinking_tokens",
      "gen_ai.usage.details.reasoning_tokens",
      "gen_ai.usage.completion_tokens_details.reasoning_tokens",
      "gen_ai.usage.output_tokens_details.reasoning_tokens",
    ],
    total: ["gen_ai.usage.total_tokens"],
    audioInput: [
      "gen_ai.usage.audio.input_tokens",
      "gen_ai.usage.details.input_audio_tokens",
      "gen_ai.usage.prompt_tokens_details.audio_tokens",
      "gen_ai.usage.input_tokens_details.audio_tokens",
    ],
    audioCacheRead: ["gen_ai.usage.audio.cache_read.input_tokens", "gen_ai.usage.details.cache_audio_read_tokens"],
    audioOutput: [
      "gen_ai.usage.audio.output_tokens",
      "gen_ai.usage.details.output_audio_tokens",
      "gen_ai.usage.completion_tokens_details.audio_tokens",
      "gen_ai.usage.output_tokens_details.audio_tokens",
    ],
    imageInput: [
      "gen_ai.usage.image.input_tokens",
      "gen_ai.usage.prompt_tokens_details.image_tokens",
      "gen_ai.usage.input_tokens_details.image_tokens",
    ],
    imageCacheRead: ["gen_ai.usage.image.cache_read.input_tokens"],
    imageOutput: ["gen_ai.usage.image.output_tokens", "gen_ai.usage.output_tokens_details.image_tokens"],
  },
  attribution: commonAttribution,
  understood: plainModalities.flatMap((modality) => [
    `gen_ai.usage.${modality}.input_tokens`,
    `gen_ai.usage.${modality}.output_tokens`,
    `gen_ai.usage.${modality}.cache_read.input_tokens`,
  ]),
};

/** The same with a dialect's differences: what it names replaces the list, tokens one by one. */
export function genaiKeysWith(
  own: Partial<Omit<ReadingKeys, "tokens">> & { readonly tokens?: Partial<TokenKeys> },
): ReadingKeys {
  return { ...genaiKeys, ...own, tokens: { ...genaiKeys.tokens, ...own.tokens } };
}

/** Every key that is read, for the allow-list. */
export function allKeys(keys: ReadingKeys): readonly string[] {
  const { tokens, attribution, ...lists } = keys;
  return [...Object.values(lists), ...Object.values(tokens), ...Object.values(attribution)].flat();
}
