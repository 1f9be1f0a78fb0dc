import { expect, it } from "vitest";
import { type CallRecord, errorClass, startCall } from "./call.ts";
import type { CallFacts } from "./clients/facts.ts";
import { openaiChat } from "./clients/openai-chat.ts";
import { observeBody } from "./intercept/body-observer.ts";

const facts = (): CallFacts => ({
  operation: "chat",
  provider: "openai",
  requestModel: "m",
  responseModel: undefined,
  responseId: undefined,
  finishReasons: [],
  stream: true,
  tokens: null,
  serviceTier: undefined,
  tools: [],
  outputChunks: 0,
  finished: false,
});

function begin(client = openaiChat) {
  const records: CallRecord[] = [];
  let faults = 0;
  let now = 1000;
  const call = startCall({
    client,
    target: { host: "h", port: 443, path: "/v1/chat/completions" },
    facts: facts(),
    attribution: {},
    parent: null,
    prompt: null,
    promptHash: undefined,
    attempt: 1,
    injectedUsage: false,
    startMs: 1000,
    nowMs: () => now++,
    fault: () => {
      faults += 1;
    },
    ended: (record) => void records.push(record),
  });
  return { call, records, faults: () => faults };
}

it("a call ends once, whatever comes after", () => {
  const { call, records } = begin();
  call.answered(200);
  call.end();
  call.fail(new Error("late"));
  call.end();
  expect(records.length).toBe(1);
  expect(records[0]?.errorType).toBeUndefined();
});

it("usage after a finish reason is final even where the application stops before [DONE]", () => {
  const { call, records } = begin();
  call.answered(200);
  call.readEvent({ choices: [{ delta: {}, finish_reason: "stop" }] });
  call.readEvent({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } });
  call.end();
  expect(records[0]).toMatchObject({ partial: false, facts: { tokens: { input: 3, output: 2 } } });
});

it("a fault of ours is counted, and the application's bytes go on", () => {
  const broken = {
    ...openaiChat,
    readEvent: () => {
      throw new Error("ours");
    },
  };
  const { call, faults } = begin(broken);
  const observer = observeBody(call, "text/event-stream");
  const bytes = Buffer.from('data: {"choices":[]}\n\n');
  expect(Buffer.concat(observer.write(bytes)).equals(bytes)).toBe(true);
  expect(faults()).toBe(1);
});

it("errors are told by code or class, never by message", () => {
  expect(errorClass(Object.assign(new Error("secret"), { code: "ECONNRESET" }))).toBe("ECONNRESET");
  expect(errorClass(new TypeError("secret", { cause: { code: "UND_ERR_SOCKET" } }))).toBe("UND_ERR_SOCKET");
  expect(errorClass({ name: "bad name with secret" })).toBe("Error");
  expect(errorClass("secret")).toBe("Error");
});
