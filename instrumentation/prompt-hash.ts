/** Keyed hash of the whole prompt: two calls with one hash asked the same model the same thing, and one answer would do. */

import type { JsonObject } from "./clients/json.ts";
import type { KeyedHash } from "./keyed-hash.ts";

/** Characters of a request beyond which its hash would keep the thread for more than 4 ms; 20,000 take 50 us. */
const requestCharactersMax = 1_048_576;

/** Fields by which a provider routes, bills or labels a request, and streams its answer: what it answers is the same. */
const labels: ReadonlySet<string> = new Set([
  "metadata",
  "prompt_cache_key",
  "prompt_cache_retention",
  "safety_identifier",
  "service_tier",
  "store",
  "stream",
  "stream_options",
  "user",
]);

/** What an answer depends on. */
export interface Asked {
  /** Name of the wire API. */
  readonly api: string;
  readonly model: string | undefined;
  /** The request, parsed. */
  readonly body: JsonObject;
  /** Characters of the request as it is sent. */
  readonly characters: number;
}

/**
 * HMAC-SHA256 of model and request, 16 hex digits, whatever the order of the request's own fields. Pictures, tools,
 * temperature and seed are part of it: only what asks for the same answer has the same hash. Undefined beyond 1 MiB of
 * characters.
 */
export function hashPrompt(hash: KeyedHash, { api, model, body, characters }: Asked): string | undefined {
  if (characters > requestCharactersMax) return undefined;
  let text = `${api}\u0000${model ?? ""}`;
  for (const key of Object.keys(body).sort()) {
    if (!labels.has(key)) text += `\u0000${key}\u0000${JSON.stringify(body[key])}`;
  }
  return hash(text).slice(0, 16);
}
