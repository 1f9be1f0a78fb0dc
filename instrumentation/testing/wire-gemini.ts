/** Answers of Google's generateContent. Thoughts are counted beside candidates, as their servers do. */

import type { Truth } from "./truth.ts";

type Json = Record<string, unknown>;

function answer(truth: Truth, parts: Json[], finish: boolean): Json {
  return {
    candidates: [{ content: { parts, role: "model" }, index: 0, ...(finish ? { finishReason: "STOP" } : {}) }],
    usageMetadata: {
      promptTokenCount: truth.input,
      candidatesTokenCount: truth.output - truth.reasoning,
      thoughtsTokenCount: truth.reasoning,
      cachedContentTokenCount: truth.cacheRead,
      totalTokenCount: truth.input + truth.output,
      promptTokensDetails: [{ modality: "TEXT", tokenCount: truth.input }],
    },
    modelVersion: truth.model,
    responseId: truth.id,
  };
}

/** A whole answer; of `embedContent` one vector. */
export function geminiAnswer(truth: Truth, tools: boolean): Json {
  if (truth.request["content"] !== undefined) return { embedding: { values: [0.5, 0.25] } };
  const part = tools ? { functionCall: { name: "get_weather", args: { unit: "c", city: "Oslo" } } } : { text: "Hello" };
  return answer(truth, [part], true);
}

/** Its streamed form with `alt=sse`. */
export function geminiEvents(truth: Truth, tools: boolean): string[] {
  const last = tools
    ? { functionCall: { name: "get_weather", args: { unit: "c", city: "Oslo" } } }
    : { text: " there" };
  return [
    answer(truth, [{ text: "Hel" }], false),
    answer(truth, [{ text: "lo" }], false),
    answer(truth, [{ text: "," }], false),
    answer(truth, [last], true),
  ].map((event) => `data: ${JSON.stringify(event)}\r\n\r\n`);
}
