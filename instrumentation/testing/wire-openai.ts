/** Answers of OpenAI's APIs as their servers write them. */

import type { Truth } from "./truth.ts";

type Json = Record<string, unknown>;

const toolArguments = '{"city": "Oslo", "unit": "c"}';
const created = 1_790_000_000;

function chatUsage(truth: Truth): Json {
  return {
    prompt_tokens: truth.input,
    completion_tokens: truth.output,
    total_tokens: truth.input + truth.output,
    prompt_tokens_details: { cached_tokens: truth.cacheRead, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: truth.reasoning, audio_tokens: 0 },
  };
}

function responsesUsage(truth: Truth): Json {
  return {
    input_tokens: truth.input,
    input_tokens_details: { cached_tokens: truth.cacheRead },
    output_tokens: truth.output,
    output_tokens_details: { reasoning_tokens: truth.reasoning },
    total_tokens: truth.input + truth.output,
  };
}

/** A chat completion; `big` makes it ten megabytes long. */
export function chatAnswer(truth: Truth, tools: boolean, big: boolean): Json {
  const call = { id: "call_1", type: "function", function: { name: "get_weather", arguments: toolArguments } };
  const content = big ? "x".repeat(10_000_000) : "Hello there";
  const message = tools
    ? { role: "assistant", content: null, tool_calls: [call] }
    : { role: "assistant", content, refusal: null };
  return {
    id: truth.id,
    object: "chat.completion",
    created,
    model: truth.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: tools ? "tool_calls" : "stop" }],
    usage: chatUsage(truth),
    service_tier: "default",
  };
}

function data(value: Json): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** Chunks of a streamed completion. With `include_usage` all carry `usage`, and one more has nothing else. */
export function chatEvents(truth: Truth, tools: boolean): string[] {
  const options = truth.request["stream_options"] as { include_usage?: boolean } | undefined;
  const asked = options?.include_usage === true;
  const chunk = (choices: unknown[], usage: Json | null = null) =>
    data({
      id: truth.id,
      object: "chat.completion.chunk",
      created,
      model: truth.model,
      service_tier: "default",
      choices,
      ...(asked ? { usage } : {}),
    });
  const delta = (value: Json, finish: string | null = null) =>
    chunk([{ index: 0, delta: value, finish_reason: finish }]);
  const call = (value: Json) => delta({ tool_calls: [{ index: 0, ...value }] });
  const output = tools
    ? [
        call({ id: "call_1", type: "function", function: { name: "get_weather", arguments: "" } }),
        call({ function: { arguments: toolArguments.slice(0, 11) } }),
        call({ function: { arguments: toolArguments.slice(11) } }),
      ]
    : ["Hel", "lo", " wörld ✓", ' says ,"usage":null'].map((content) => delta({ content }));
  return [
    delta({ role: "assistant", content: "" }),
    ...output,
    delta({}, tools ? "tool_calls" : "stop"),
    ...(asked ? [chunk([], chatUsage(truth))] : []),
    "data: [DONE]\n\n",
  ];
}

function response(truth: Truth, status: string, tools: boolean): Json {
  const done = status === "completed";
  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    status,
    content: [{ type: "output_text", text: "Hello there", annotations: [] }],
  };
  const call = {
    id: "fc_1",
    type: "function_call",
    call_id: "call_1",
    name: "get_weather",
    arguments: toolArguments,
    status,
  };
  return {
    id: truth.id,
    object: "response",
    created_at: created,
    status,
    error: null,
    incomplete_details: null,
    model: truth.model,
    output: done ? [tools ? call : message] : [],
    parallel_tool_calls: true,
    service_tier: done ? "default" : "auto",
    tools: [],
    usage: done ? responsesUsage(truth) : null,
  };
}

/** A whole answer of the Responses API. */
export function responsesAnswer(truth: Truth, tools: boolean): Json {
  return response(truth, "completed", tools);
}

/** Its streamed form: every event has a type and a number. */
export function responsesEvents(truth: Truth, tools: boolean): string[] {
  const done = response(truth, "completed", tools);
  const item = (done["output"] as Json[])[0] ?? {};
  const pieces = tools
    ? [{ type: "response.function_call_arguments.delta", output_index: 0, item_id: "fc_1", delta: toolArguments }]
    : ["Hel", "lo"].map((delta) => ({
        type: "response.output_text.delta",
        output_index: 0,
        content_index: 0,
        item_id: "msg_1",
        delta,
        logprobs: [],
      }));
  const started = tools ? { ...item, arguments: "" } : { ...item, content: [] };
  const part = { type: "output_text", text: "", annotations: [] };
  const events: Json[] = [
    { type: "response.created", response: response(truth, "in_progress", tools) },
    { type: "response.output_item.added", output_index: 0, item: started },
    ...(tools
      ? []
      : [{ type: "response.content_part.added", output_index: 0, content_index: 0, item_id: "msg_1", part }]),
    ...pieces,
    { type: "response.output_item.done", output_index: 0, item },
    { type: "response.completed", response: done },
  ];
  return events.map((event, index) => `event: ${String(event["type"])}\n${data({ ...event, sequence_number: index })}`);
}

/** One vector a text, as floats or base64 as the request has it. Embeddings have no output and no cache. */
export function embeddingsAnswer(truth: Truth): Json {
  const inputs = Array.isArray(truth.request["input"]) ? truth.request["input"] : [truth.request["input"]];
  const base64 = Buffer.from(Float32Array.from([0.5, -0.25, 0.125]).buffer).toString("base64");
  const embedding = truth.request["encoding_format"] === "base64" ? base64 : [0.5, -0.25, 0.125];
  return {
    object: "list",
    data: inputs.map((_, index) => ({ object: "embedding", index, embedding })),
    model: truth.model,
    usage: { prompt_tokens: truth.input, total_tokens: truth.input },
  };
}

/** Images and transcriptions: the same fields beside different results. */
export function mediaAnswer(truth: Truth): Json {
  const usage = {
    type: "tokens",
    input_tokens: truth.input,
    output_tokens: truth.output,
    total_tokens: truth.input + truth.output,
  };
  return truth.api === "images"
    ? {
        created,
        data: [{ b64_json: "aGk=" }],
        usage: { ...usage, input_tokens_details: { text_tokens: 40, image_tokens: truth.input - 40 } },
      }
    : { text: "Hello there", usage: { ...usage, input_token_details: { text_tokens: 0, audio_tokens: truth.input } } };
}
