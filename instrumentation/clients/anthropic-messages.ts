/** Anthropic messages, also behind Vertex (`rawPredict`). */

import type { WireClient } from "./client.ts";
import { addFinishReason, addToolPiece, type CallFacts, type TokenFacts } from "./facts.ts";
import { asCount, asLabel, asList, asObject, type JsonObject } from "./json.ts";
import { textsOf, toolNames } from "./prompt-texts.ts";

const vertexModel = /\/publishers\/anthropic\/models\/([^/:]+):(?:stream)?rawPredict$/i;

/**
 * Anthropic counts uncached input apart from cache reads and writes; here the input is their sum. Counts of a later
 * event replace those of an earlier one: in `message_delta` they are cumulative.
 */
function readUsage(value: unknown, facts: CallFacts): void {
  const usage = asObject(value);
  if (usage === null) return;
  const before = facts.tokens ?? {};
  const tokens: TokenFacts = { ...before };
  const read = asCount(usage["cache_read_input_tokens"]) ?? before.cacheRead ?? 0;
  const write = asCount(usage["cache_creation_input_tokens"]) ?? before.cacheWrite ?? 0;
  const uncached = asCount(usage["input_tokens"]);
  const uncachedBefore = (before.input ?? 0) - (before.cacheRead ?? 0) - (before.cacheWrite ?? 0);
  tokens.input = (uncached ?? uncachedBefore) + read + write;
  tokens.cacheRead = read;
  tokens.cacheWrite = write;
  const creation = asObject(usage["cache_creation"]);
  const shortLived = asCount(creation?.["ephemeral_5m_input_tokens"]);
  const longLived = asCount(creation?.["ephemeral_1h_input_tokens"]);
  if (shortLived !== undefined) tokens.cacheWrite5m = shortLived;
  if (longLived !== undefined) tokens.cacheWrite1h = longLived;
  const output = asCount(usage["output_tokens"]);
  if (output !== undefined) tokens.output = output;
  const thinking = asCount(asObject(usage["output_tokens_details"])?.["thinking_tokens"]);
  if (thinking !== undefined) tokens.reasoning = thinking;
  facts.tokens = tokens;
  facts.serviceTier = asLabel(usage["service_tier"]) ?? facts.serviceTier;
}

function readMessage(message: JsonObject, facts: CallFacts): void {
  facts.responseId = asLabel(message["id"]) ?? facts.responseId;
  facts.responseModel = asLabel(message["model"]) ?? facts.responseModel;
  addFinishReason(facts, message["stop_reason"]);
  readUsage(message["usage"], facts);
}

function readContentEvent(event: JsonObject, facts: CallFacts): boolean {
  if (event["type"] === "content_block_start") {
    const block = asObject(event["content_block"]);
    if (block?.["type"] === "tool_use") addToolPiece(facts, facts.tools.length, { name: block["name"] });
    return false;
  }
  const delta = asObject(event["delta"]);
  if (delta?.["type"] === "input_json_delta") {
    addToolPiece(facts, facts.tools.length - 1, { arguments: delta["partial_json"] });
  }
  return true;
}

export const anthropicMessages: WireClient = {
  name: "anthropic.messages",
  operation: "chat",
  finishesStream: true,
  matches: (target) => target.path.endsWith("/messages") || vertexModel.test(target.path),
  accepts: (body, target) =>
    Array.isArray(body["messages"]) &&
    (vertexModel.test(target.path) || (typeof body["model"] === "string" && typeof body["max_tokens"] === "number")),
  acceptsUnread: (header) => header("anthropic-version") !== undefined,
  readRequest(body, target, facts) {
    facts.requestModel = asLabel(body["model"]) ?? asLabel(vertexModel.exec(target.path)?.[1]);
    facts.stream = body["stream"] === true;
  },
  readResponse(body, facts) {
    readMessage(body, facts);
    for (const item of asList(body["content"])) {
      const block = asObject(item);
      if (block?.["type"] !== "tool_use") continue;
      addToolPiece(facts, facts.tools.length, { name: block["name"], arguments: JSON.stringify(block["input"] ?? {}) });
    }
    facts.finished = true;
  },
  readEvent(event, facts) {
    switch (event["type"]) {
      case "message_start":
        readMessage(asObject(event["message"]) ?? {}, facts);
        return false;
      case "message_delta":
        addFinishReason(facts, asObject(event["delta"])?.["stop_reason"]);
        readUsage(event["usage"], facts);
        return false;
      case "message_stop":
        facts.finished = true;
        return false;
      case "content_block_start":
      case "content_block_delta":
        return readContentEvent(event, facts);
      default:
        return false;
    }
  },
  promptTexts: (body) => textsOf(body["messages"], textsOf(body["system"], toolNames(body["tools"]))),
};
