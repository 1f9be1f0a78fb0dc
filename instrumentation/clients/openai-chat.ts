/** OpenAI chat completions and legacy completions; also Azure, vLLM, Ollama, LiteLLM, OpenRouter and the like. */

import type { Target, WireClient } from "./client.ts";
import { addFinishReason, addToolPiece, type CallFacts } from "./facts.ts";
import { asLabel, asList, asObject, type JsonObject } from "./json.ts";
import { readOpenaiUsage } from "./openai-usage.ts";
import { textsOf, toolNames } from "./prompt-texts.ts";

const azureDeployment = /\/deployments\/([^/]+)\//;

/** The model of a request body, or Azure's deployment in the path where the body has none. */
export function requestedModel(body: JsonObject, target: Target): string | undefined {
  return asLabel(body["model"]) ?? asLabel(azureDeployment.exec(target.path)?.[1]);
}

function readCommon(body: JsonObject, facts: CallFacts): void {
  facts.responseId ??= asLabel(body["id"]);
  facts.responseModel = asLabel(body["model"]) ?? facts.responseModel;
  facts.serviceTier = asLabel(body["service_tier"]) ?? facts.serviceTier;
  const usage = readOpenaiUsage(body["usage"]) ?? readOpenaiUsage(asObject(body["x_groq"])?.["usage"]);
  if (usage !== null) facts.tokens = usage;
}

function readToolCalls(calls: unknown, facts: CallFacts): void {
  for (const [position, item] of asList(calls).entries()) {
    const call = asObject(item);
    if (call === null) continue;
    const index = typeof call["index"] === "number" ? call["index"] : position;
    const detail = asObject(call["function"]) ?? asObject(call["custom"]);
    addToolPiece(facts, index, { name: detail?.["name"], arguments: detail?.["arguments"] ?? detail?.["input"] });
  }
}

function chat(name: string, operation: "chat" | "text_completion", pattern: RegExp): WireClient {
  return {
    name,
    operation,
    asksForStreamUsage: true,
    acceptsUnread: () => operation === "chat",
    matches: (target) => pattern.test(target.path),
    accepts: (body, target) =>
      (operation === "chat" ? Array.isArray(body["messages"]) : body["prompt"] !== undefined) &&
      requestedModel(body, target) !== undefined,
    readRequest(body, target, facts) {
      facts.requestModel = requestedModel(body, target);
      facts.stream = body["stream"] === true;
    },
    readResponse(body, facts) {
      readCommon(body, facts);
      for (const item of asList(body["choices"])) {
        const choice = asObject(item);
        addFinishReason(facts, choice?.["finish_reason"]);
        readToolCalls(asObject(choice?.["message"])?.["tool_calls"], facts);
      }
      facts.finished = true;
    },
    readEvent(event, facts) {
      readCommon(event, facts);
      let output = false;
      for (const item of asList(event["choices"])) {
        const choice = asObject(item);
        const delta = asObject(choice?.["delta"]);
        addFinishReason(facts, choice?.["finish_reason"]);
        readToolCalls(delta?.["tool_calls"], facts);
        if (delta?.["content"] || delta?.["tool_calls"] || delta?.["reasoning_content"] || choice?.["text"]) {
          output = true;
        }
      }
      return output;
    },
    promptTexts: (body) => textsOf(body["messages"] ?? body["prompt"], toolNames(body["tools"])),
  };
}

export const openaiChat = chat("openai.chat", "chat", /\/chat\/completions$/);

export const openaiCompletions = chat(
  "openai.completions",
  "text_completion",
  /\/(v\d+|openai\/deployments\/[^/]+)\/completions$/,
);
