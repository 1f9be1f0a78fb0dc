/** OpenAI images and audio (transcription, translation, speech). Forms with files are read for their model only. */

import type { WireClient } from "./client.ts";
import type { CallFacts } from "./facts.ts";
import { asLabel, asObject, type JsonObject } from "./json.ts";
import { requestedModel } from "./openai-chat.ts";
import { readOpenaiUsage } from "./openai-usage.ts";

function readUsage(body: JsonObject, facts: CallFacts): void {
  const source = asObject(body["response"]) ?? body;
  facts.responseId ??= asLabel(source["id"]);
  facts.responseModel = asLabel(source["model"]) ?? facts.responseModel;
  facts.tokens = readOpenaiUsage(source["usage"]) ?? facts.tokens;
}

function media(name: string, pattern: RegExp): WireClient {
  return {
    name,
    operation: "generate_content",
    acceptsUnread: () => true,
    matches: (target) => pattern.test(target.path),
    accepts: (body, target) => requestedModel(body, target) !== undefined || body["prompt"] !== undefined,
    readRequest(body, target, facts) {
      facts.requestModel = requestedModel(body, target);
      facts.stream = body["stream"] === true || body["stream"] === "true" || body["stream_format"] === "sse";
    },
    readResponse(body, facts) {
      readUsage(body, facts);
      facts.finished = true;
    },
    readEvent(event, facts) {
      readUsage(event, facts);
      const type = event["type"];
      if (typeof type !== "string") return false;
      if (type.endsWith(".done") || type.endsWith(".completed")) facts.finished = true;
      return type.endsWith(".delta") || type.endsWith(".partial_image");
    },
    promptTexts: () => [],
  };
}

export const openaiImages = media("openai.images", /\/images\/(generations|edits|variations)$/);

export const openaiAudio = media("openai.audio", /\/audio\/(transcriptions|translations|speech)$/);
