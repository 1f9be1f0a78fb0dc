/** OpenAI embeddings and the servers that copy them. */

import type { WireClient } from "./client.ts";
import { asLabel } from "./json.ts";
import { requestedModel } from "./openai-chat.ts";
import { readOpenaiUsage } from "./openai-usage.ts";

export const openaiEmbeddings: WireClient = {
  name: "openai.embeddings",
  operation: "embeddings",
  matches: (target) => target.path.endsWith("/embeddings"),
  accepts: (body, target) => body["input"] !== undefined && requestedModel(body, target) !== undefined,
  readRequest(body, target, facts) {
    facts.requestModel = requestedModel(body, target);
  },
  readResponse(body, facts) {
    facts.responseModel = asLabel(body["model"]);
    facts.tokens = readOpenaiUsage(body["usage"]);
    facts.finished = true;
  },
  readEvent: () => false,
  // Embedded texts share no cached prefix.
  promptTexts: () => [],
};
