/**
 * Three applications that made the same calls. Each tells of them in a dialect of its own, with sums around them, and has
 * a second instrumentation on some of them, around, beneath or beside the first, with and without the provider's id.
 */

import type { Call } from "./sessions.ts";
import { genaiTokens, just, openinferenceTokens, requested, type Telling, type Told } from "./tell.ts";

const chat = { "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic" };
const openinferenceLlm = { "openinference.span.kind": "LLM", "llm.system": "anthropic", "llm.provider": "anthropic" };

/** Anthropic's own SDK. */
function nativeCall(call: Call, parent: string): Told {
  const values = {
    ...chat,
    "gen_ai.request.model": requested(call.model),
    "gen_ai.response.model": call.model,
    "gen_ai.response.id": `msg_${call.row}`,
    ...genaiTokens(call),
    "anthropic.response.service_tier": "standard",
  };
  return { scope: "com.anthropic.sdk.typescript@1.12.0", key: `native ${call.row}`, parent, ...just(call, 0), values };
}

/** OpenInference around Anthropic's SDK: no response id. */
function openinferenceAnthropic(call: Call, parent: string): Told {
  const values = {
    ...openinferenceLlm,
    "llm.model_name": call.model,
    "llm.request.model_name": requested(call.model),
    ...openinferenceTokens(call),
  };
  const scope = "@arizeai/openinference-instrumentation-anthropic@0.2.8";
  return { scope, key: `openinference ${call.row}`, parent, ...just(call, 500), values };
}

/** OpenLLMetry beside it, whose input leaves cached tokens out: no response id. */
function traceloopAnthropic(call: Call, parent: string): Told {
  const values = {
    ...chat,
    "gen_ai.request.model": requested(call.model),
    "gen_ai.response.model": call.model,
    ...genaiTokens({ ...call, input: call.input - call.cached }),
    "gen_ai.usage.total_tokens": call.input - call.cached + call.output,
  };
  return {
    scope: "@traceloop/instrumentation-anthropic@0.27.0",
    key: `traceloop ${call.row}`,
    parent,
    ...just(call, 300),
    values,
  };
}

/** Burnwatch's own, at the request that is sent. */
function fetchCall(call: Call, parent: string): Told {
  const { values } = nativeCall(call, parent);
  return { scope: "@burnwatch/instrumentation@1.0.0", key: `fetch ${call.row}`, parent, ...just(call, -1), values };
}

/** LangSmith's copy of a run: the model as it was asked for, no response id. */
function langsmithRun(call: Call, parent: string): Told {
  const values = {
    "langsmith.span.kind": "llm",
    "langsmith.metadata.ls_provider": "anthropic",
    "gen_ai.request.model": requested(call.model),
    "gen_ai.usage.input_tokens": call.input,
    "gen_ai.usage.output_tokens": call.output,
    "gen_ai.usage.input_token_details": JSON.stringify({ cache_read: call.cached }),
  };
  return { scope: "langsmith", key: `langsmith ${call.row}`, parent, ...just(call, 400), values };
}

/** OpenLIT's, of a stream: the usage that comes last, which has no input. Only the response id says which call it is. */
function openlitStream(call: Call, parent: string): Told {
  const values = {
    ...chat,
    "gen_ai.request.model": requested(call.model),
    "gen_ai.response.id": `msg_${call.row}`,
    "gen_ai.usage.output_tokens": call.output,
  };
  return { scope: "openlit.instrumentation.anthropic", key: `openlit ${call.row}`, parent, ...just(call, 100), values };
}

const native: Telling = {
  dialect: "anthropic-native",
  call(call, turn) {
    // In every other turn the requests stand under spans of HTTP, which are no LLM operations: no parent leads to a sum.
    const parent = /[13579]$/.test(turn) ? `http ${call.row}` : turn;
    const wrapped = `openinference ${call.row}`;
    switch (call.row % 8) {
      case 1:
        return [nativeCall(call, wrapped), openinferenceAnthropic(call, parent)];
      case 2:
        return [nativeCall(call, parent), openinferenceAnthropic(call, parent)];
      case 3:
        return [nativeCall(call, parent), traceloopAnthropic(call, parent)];
      case 4:
        return [nativeCall(call, parent), fetchCall(call, `http ${call.row}`)];
      case 5:
        return [nativeCall(call, wrapped), openinferenceAnthropic(call, parent), traceloopAnthropic(call, parent)];
      case 6:
        return [nativeCall(call, parent), openlitStream(call, parent)];
      default:
        return [nativeCall(call, parent)];
    }
  },
  turn: ({ agent }, sum) => ({
    scope: "acme.agents",
    values: {
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.agent.name": agent,
      "gen_ai.provider.name": "anthropic",
      "gen_ai.request.model": sum.model,
      ...genaiTokens(sum),
    },
  }),
  session: (_, sum) => ({
    scope: "acme.chains",
    values: { "openinference.span.kind": "CHAIN", "llm.model_name": sum.model, ...openinferenceTokens(sum) },
  }),
};

/** A model span of a framework: every call of this application is known from wrappers alone, but where a client tells, too. */
function frameworkCall(call: Call, parent: string): Told {
  const values = { ...openinferenceLlm, "llm.model_name": call.model, ...openinferenceTokens(call) };
  const scope = "@arizeai/openinference-instrumentation-langchain@4.1.1";
  return { scope, key: `framework ${call.row}`, parent, ...just(call, 600), values };
}

const openinference: Telling = {
  dialect: "openinference",
  call(call, parent) {
    const framework = `framework ${call.row}`;
    switch (call.row % 6) {
      case 1:
        return [
          frameworkCall(call, `by hand ${call.row}`),
          { ...frameworkCall(call, parent), scope: "app", key: `by hand ${call.row}`, ...just(call, 900) },
        ];
      case 2:
        return [frameworkCall(call, parent), langsmithRun(call, parent)];
      case 3:
        return [frameworkCall(call, parent), nativeCall(call, framework)];
      case 4:
        return [frameworkCall(call, parent), nativeCall(call, `http ${call.row}`)];
      case 5:
        // The framework takes what was not cached for all: neither tokens nor parents tell that the two are one.
        return [
          frameworkCall({ ...call, input: call.input - call.cached, cached: 0 }, parent),
          nativeCall(call, `http ${call.row}`),
        ];
      default:
        return [frameworkCall(call, parent)];
    }
  },
  turn: ({ agent }, sum) => ({
    scope: "@arizeai/openinference-instrumentation-langchain@4.1.1",
    values: { "openinference.span.kind": "AGENT", "agent.name": agent, ...openinferenceTokens(sum) },
  }),
  session: (_, sum) => ({
    scope: "@arizeai/openinference-instrumentation-langchain@4.1.1",
    values: { "openinference.span.kind": "CHAIN", ...openinferenceTokens(sum) },
  }),
};

const aiModel = { "ai.model.provider": "anthropic.messages", "gen_ai.system": "anthropic.messages" };

function aiTokens({ input, cached, output }: Pick<Call, "input" | "cached" | "output">) {
  return {
    "ai.usage.inputTokens": input,
    "ai.usage.inputTokenDetails.noCacheTokens": input - cached,
    "ai.usage.inputTokenDetails.cacheReadTokens": cached,
    "ai.usage.inputTokenDetails.cacheWriteTokens": 0,
    "ai.usage.outputTokens": output,
    "ai.usage.totalTokens": input + output,
    "ai.usage.cachedInputTokens": cached,
  };
}

/** The AI SDK's span of one step, version 6. */
function stepCall(call: Call, parent: string): Told {
  const values = {
    ...aiModel,
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.model.id": requested(call.model),
    "ai.response.model": call.model,
    "ai.response.id": `msg_${call.row}`,
    ...aiTokens(call),
    "gen_ai.usage.input_tokens": call.input,
    "gen_ai.usage.output_tokens": call.output,
  };
  return { scope: "ai", key: `step ${call.row}`, parent, ...just(call, 200), values };
}

const vercelAi: Telling = {
  dialect: "vercel-ai",
  call(call, parent) {
    switch (call.row % 5) {
      case 1:
        return [stepCall(call, parent), fetchCall(call, `step ${call.row}`)];
      case 2:
        return [stepCall(call, parent), fetchCall(call, `http ${call.row}`)];
      case 3:
        return [stepCall(call, `langsmith ${call.row}`), langsmithRun(call, parent)];
      default:
        return [stepCall(call, parent)];
    }
  },
  turn: (_, sum) => ({
    scope: "ai",
    values: { ...aiModel, "ai.operationId": "ai.generateText", "ai.model.id": requested(sum.model), ...aiTokens(sum) },
  }),
  session: (_, sum) => ({
    scope: "acme.agents",
    values: { "gen_ai.operation.name": "invoke_workflow", "gen_ai.request.model": sum.model, ...genaiTokens(sum) },
  }),
};

export const tellings: readonly Telling[] = [native, openinference, vercelAi];
