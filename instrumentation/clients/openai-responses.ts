/** OpenAI's Responses API, also on Azure. */

import type { WireClient } from "./client.ts";
import { addFinishReason, addToolPiece, type CallFacts } from "./facts.ts";
import { asLabel, asList, asObject, type JsonObject } from "./json.ts";
import { requestedModel } from "./openai-chat.ts";
import { readOpenaiUsage } from "./openai-usage.ts";
import { textsOf, toolNames } from "./prompt-texts.ts";

function readAnswer(response: JsonObject, facts: CallFacts): void {
  facts.responseId = asLabel(response["id"]) ?? facts.responseId;
  facts.responseModel = asLabel(response["model"]) ?? facts.responseModel;
  facts.serviceTier = asLabel(response["service_tier"]) ?? facts.serviceTier;
  facts.tokens = readOpenaiUsage(response["usage"]) ?? facts.tokens;
  const status = response["status"];
  if (status !== "completed" && status !== "incomplete" && status !== "failed") return;
  addFinishReason(facts, asLabel(asObject(response["incomplete_details"])?.["reason"]) ?? status);
  let index = 0;
  for (const item of asList(response["output"])) {
    const output = asObject(item);
    if (output?.["type"] !== "function_call" && output?.["type"] !== "custom_tool_call") continue;
    addToolPiece(facts, index++, { name: output["name"], arguments: output["arguments"] ?? output["input"] });
  }
  facts.finished = true;
}

export const openaiResponses: WireClient = {
  name: "openai.responses",
  operation: "chat",
  finishesStream: true,
  matches: (target) => target.path.endsWith("/responses"),
  accepts: (body, target) =>
    (body["input"] !== undefined || body["prompt"] !== undefined || body["previous_response_id"] !== undefined) &&
    (requestedModel(body, target) !== undefined || asObject(body["prompt"]) !== null),
  readRequest(body, target, facts) {
    facts.requestModel = requestedModel(body, target);
    facts.stream = body["stream"] === true;
  },
  readResponse: readAnswer,
  readEvent(event, facts) {
    const response = asObject(event["response"]);
    if (response !== null) readAnswer(response, facts);
    const type = event["type"];
    return typeof type === "string" && type.endsWith(".delta");
  },
  promptTexts: (body) => textsOf(body["input"], textsOf(body["instructions"], toolNames(body["tools"]))),
};
