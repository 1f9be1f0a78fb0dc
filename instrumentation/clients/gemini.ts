/** Google's `generateContent` family, on the Gemini API and on Vertex. The model stands in the path. */

import type { Target, WireClient } from "./client.ts";
import { addFinishReason, addToolPiece, type CallFacts, type TokenFacts } from "./facts.ts";
import { asCount, asLabel, asList, asObject, type JsonObject } from "./json.ts";
import { textsOf, toolNames } from "./prompt-texts.ts";

const contentPath =
  /\/(?:models|publishers\/google\/models|tunedModels)\/([^/:]+):(generateContent|streamGenerateContent)$/;
const embedPath = /\/models\/([^/:]+):(embedContent|batchEmbedContents)$/;

/** Thoughts are counted beside candidates and tool prompts beside the prompt; cached tokens are part of the prompt. */
function readUsage(value: unknown, facts: CallFacts): void {
  const usage = asObject(value);
  if (usage === null) return;
  const tokens: TokenFacts = {
    input: (asCount(usage["promptTokenCount"]) ?? 0) + (asCount(usage["toolUsePromptTokenCount"]) ?? 0),
    output: (asCount(usage["candidatesTokenCount"]) ?? 0) + (asCount(usage["thoughtsTokenCount"]) ?? 0),
  };
  const cached = asCount(usage["cachedContentTokenCount"]);
  const thoughts = asCount(usage["thoughtsTokenCount"]);
  if (cached !== undefined) tokens.cacheRead = cached;
  if (thoughts !== undefined) tokens.reasoning = thoughts;
  for (const item of asList(usage["promptTokensDetails"])) {
    const detail = asObject(item);
    const count = asCount(detail?.["tokenCount"]);
    if (count === undefined) continue;
    if (detail?.["modality"] === "AUDIO") tokens.audioInput = count;
    if (detail?.["modality"] === "IMAGE") tokens.imageInput = count;
    if (detail?.["modality"] === "TEXT") tokens.textInput = count;
  }
  facts.tokens = tokens;
}

function readAnswer(body: JsonObject, facts: CallFacts): boolean {
  facts.responseId ??= asLabel(body["responseId"]);
  facts.responseModel = asLabel(body["modelVersion"]) ?? facts.responseModel;
  readUsage(body["usageMetadata"], facts);
  let output = false;
  for (const item of asList(body["candidates"])) {
    const candidate = asObject(item);
    if (candidate?.["finishReason"]) {
      addFinishReason(facts, candidate["finishReason"]);
      facts.finished = true;
    }
    for (const part of asList(asObject(candidate?.["content"])?.["parts"])) {
      output = true;
      const call = asObject(asObject(part)?.["functionCall"]);
      if (call === null) continue;
      addToolPiece(facts, facts.tools.length, { name: call["name"], arguments: JSON.stringify(call["args"] ?? {}) });
    }
  }
  return output;
}

function model(target: Target, pattern: RegExp): string | undefined {
  return asLabel(pattern.exec(target.path)?.[1]);
}

export const gemini: WireClient = {
  name: "gemini",
  operation: "generate_content",
  matches: (target) => contentPath.test(target.path),
  accepts: (body) => Array.isArray(body["contents"]) || asObject(body["contents"]) !== null,
  acceptsUnread: () => true,
  readRequest(_body, target, facts) {
    facts.requestModel = model(target, contentPath);
    facts.stream = target.path.endsWith(":streamGenerateContent");
  },
  readResponse(body, facts) {
    readAnswer(body, facts);
    facts.finished = true;
  },
  readEvent: readAnswer,
  promptTexts(body) {
    const names = asList(body["tools"]).flatMap((tool) => toolNames(asObject(tool)?.["functionDeclarations"]));
    return textsOf(body["contents"], textsOf(body["systemInstruction"] ?? body["system_instruction"], names));
  },
};

export const geminiEmbeddings: WireClient = {
  name: "gemini.embeddings",
  operation: "embeddings",
  matches: (target) => embedPath.test(target.path),
  accepts: (body) => body["content"] !== undefined || Array.isArray(body["requests"]),
  readRequest(_body, target, facts) {
    facts.requestModel = model(target, embedPath);
  },
  readResponse(body, facts) {
    const usage = asObject(body["usageMetadata"]);
    const input = asCount(usage?.["promptTokenCount"]) ?? asCount(usage?.["totalTokenCount"]);
    if (input !== undefined) facts.tokens = { input };
    facts.finished = true;
  },
  readEvent: () => false,
  promptTexts: () => [],
};
