/** Answers of Anthropic's messages API. Input is counted without cache reads and writes, as their servers do. */

import type { Truth } from "./truth.ts";

type Json = Record<string, unknown>;

const toolInput = { city: "Oslo", unit: "c" };

function usage(truth: Truth, output: number): Json {
  const written = truth.cacheWrite5m + truth.cacheWrite1h;
  return {
    input_tokens: truth.input - truth.cacheRead - written,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: truth.cacheRead,
    cache_creation: {
      ephemeral_5m_input_tokens: truth.cacheWrite5m,
      ephemeral_1h_input_tokens: truth.cacheWrite1h,
    },
    output_tokens: output,
    service_tier: "standard",
  };
}

function block(tools: boolean): Json {
  return tools
    ? { type: "tool_use", id: "toolu_1", name: "get_weather", input: toolInput }
    : { type: "text", text: "Hello there" };
}

/** A whole message. */
export function anthropicAnswer(truth: Truth, tools: boolean): Json {
  return {
    id: truth.id,
    type: "message",
    role: "assistant",
    model: truth.model,
    content: [block(tools)],
    stop_reason: tools ? "tool_use" : "end_turn",
    stop_sequence: null,
    usage: usage(truth, truth.output),
  };
}

/** Its streamed form: usage at the start with one output token, the final count in `message_delta`. */
export function anthropicEvents(truth: Truth, tools: boolean): string[] {
  const message = { ...anthropicAnswer(truth, tools), content: [], stop_reason: null, usage: usage(truth, 1) };
  const text = JSON.stringify(toolInput);
  const deltas = tools
    ? [text.slice(0, 8), text.slice(8)].map((partial_json) => ({ type: "input_json_delta", partial_json }))
    : ["Hel", "lo", " wörld"].map((piece) => ({ type: "text_delta", text: piece }));
  const start = tools ? { ...block(true), input: {} } : { type: "text", text: "" };
  const events: Json[] = [
    { type: "message_start", message },
    { type: "content_block_start", index: 0, content_block: start },
    { type: "ping" },
    ...deltas.map((delta) => ({ type: "content_block_delta", index: 0, delta })),
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason: tools ? "tool_use" : "end_turn", stop_sequence: null },
      usage: { output_tokens: truth.output },
    },
    { type: "message_stop" },
  ];
  return events.map((event) => `event: ${String(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`);
}
