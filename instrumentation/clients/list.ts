/** All wire APIs, most frequent first. A new one is a file beside this and a line here. */

import { anthropicMessages } from "./anthropic-messages.ts";
import type { Target, WireClient } from "./client.ts";
import { gemini, geminiEmbeddings } from "./gemini.ts";
import { openaiChat, openaiCompletions } from "./openai-chat.ts";
import { openaiEmbeddings } from "./openai-embeddings.ts";
import { openaiAudio, openaiImages } from "./openai-media.ts";
import { openaiResponses } from "./openai-responses.ts";

export const wireClients: readonly WireClient[] = [
  openaiChat,
  anthropicMessages,
  openaiResponses,
  openaiEmbeddings,
  gemini,
  geminiEmbeddings,
  openaiImages,
  openaiAudio,
  openaiCompletions,
];

const quickTest =
  /\/(?:chat\/completions|completions|responses|embeddings|messages|images\/\w+|audio\/\w+)(?:\?|$)|\/models\/[^/?]+:\w+/i;

/** False for almost every request that is no call of a model: one regular expression over the URL. */
export function mayBeModelCall(url: string): boolean {
  return quickTest.test(url);
}

/** The wire API that speaks at this path, or undefined. */
export function clientAt(target: Target): WireClient | undefined {
  for (const client of wireClients) if (client.matches(target)) return client;
  return undefined;
}

/** What a call with this wire API is billed under where the host says nothing. */
export function fallbackProvider(client: WireClient): string {
  if (client.name.startsWith("anthropic")) return "anthropic";
  return client.name.startsWith("gemini") ? "gcp.gemini" : "openai";
}
