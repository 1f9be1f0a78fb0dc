import { afterEach, beforeEach, expect, test } from "vitest";
import { type OtlpSink, startOtlpSink } from "./otlp-sink.ts";
import { type ReplayCall, unknownCall } from "./replay-call.ts";
import { replayIds } from "./replay-ids.ts";
import { Sender } from "./send.ts";

let sink: OtlpSink;
beforeEach(async () => {
  sink = await startOtlpSink();
});
afterEach(() => sink.stop());

const ids = replayIds({ fileHash: "file", injectHash: "", salt: "" });
const zeroUs = 1_800_000_000_123_456;

function sender(options: { giveUpMs?: number } = {}) {
  return new Sender({
    endpoint: sink.url,
    ids,
    producer: "run-1",
    environment: "replay",
    zeroUs,
    onDelivered: () => {},
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    ...options,
  });
}

const bare = (row: number): ReplayCall => ({ ...unknownCall, row, traceKey: `t${row}`, spanKey: String(row) });

async function sendAll(calls: readonly ReplayCall[], options: { giveUpMs?: number } = {}) {
  const sending = sender(options);
  for (const call of calls) await sending.send(call);
  await sending.finish();
}

const records = () => sink.spans.filter((span) => span.name !== "burnwatch.final_mark");

test("everything that a call has arrives, under OpenTelemetry's and our names", async () => {
  const call: ReplayCall = {
    row: 7,
    traceKey: "session",
    spanKey: "7",
    startUs: -1_500_001,
    endUs: -1,
    tenant: "acme",
    service: "shop",
    feature: "search",
    user: "u1",
    session: "s1",
    agent: "main",
    run: "r1",
    promptName: "greeting",
    promptVersion: "7",
    provider: "openai",
    model: "gpt-4o",
    responseModel: "gpt-4o-2024-08-06",
    inputTokens: 1000,
    cacheReadTokens: 600,
    cacheWriteTokens: 0,
    outputTokens: 200,
    reasoningTokens: 50,
    errorType: "timeout",
    finishReason: "length",
    tool: "web",
    toolArgsHash: "beef",
    promptHash: "00000000deadbeef",
    outcome: "solved",
    revenueUsd: "0.25",
  };
  await sendAll([call]);
  expect(records()).toEqual([
    {
      traceId: ids.traceId("session"),
      spanId: ids.spanId("7"),
      parentSpanId: undefined,
      name: "chat gpt-4o",
      kind: 3,
      startNs: "1799999998623455000",
      endNs: "1800000000123455000",
      statusCode: 2,
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.cache_read.input_tokens": 600,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "gen_ai.usage.output_tokens": 200,
        "gen_ai.usage.reasoning.output_tokens": 50,
        "gen_ai.response.finish_reasons": ["length"],
        "gen_ai.tool.name": "web",
        "error.type": "timeout",
        "burnwatch.tool.args_hash": "beef",
        "burnwatch.prompt.hash": "00000000deadbeef",
        "burnwatch.tenant": "acme",
        "burnwatch.feature": "search",
        "user.id": "u1",
        "session.id": "s1",
        "gen_ai.agent.name": "main",
        "burnwatch.run.id": "r1",
        "burnwatch.prompt.name": "greeting",
        "burnwatch.prompt.version": "7",
        "burnwatch.outcome": "solved",
        "burnwatch.outcome.revenue_usd": "0.25",
        "burnwatch.record.sequence": 1,
      },
      resource: { "service.name": "shop", "service.instance.id": "run-1", "deployment.environment.name": "replay" },
    },
  ]);
});

test("what a call does not say is not sent", async () => {
  await sendAll([bare(1)]);
  expect(records()[0]?.attributes).toEqual({ "gen_ai.operation.name": "chat", "burnwatch.record.sequence": 1 });
  expect(records()[0]?.resource["service.name"]).toBe("burnwatch-replay");
  expect(records()[0]?.statusCode ?? 0).toBe(0);
});

test("a tool without a model is the tool's own execution", async () => {
  await sendAll([{ ...bare(1), tool: "web" }]);
  expect(records()[0]).toMatchObject({
    name: "execute_tool web",
    attributes: { "gen_ai.operation.name": "execute_tool" },
  });
});

test("services share one numbering without gaps, and a final mark ends it", async () => {
  await sendAll(
    Array.from({ length: 2000 }, (_, index) => ({ ...bare(index), service: ["a", "b", "c"][index % 3] ?? "" })),
  );
  const sequences = records().map((span) => Number(span.attributes["burnwatch.record.sequence"]));
  expect(sequences.toSorted((left, right) => left - right)).toEqual(
    Array.from({ length: 2000 }, (_, index) => index + 1),
  );
  expect(new Set(records().map((span) => span.resource["service.name"]))).toEqual(new Set(["a", "b", "c"]));
  expect(sink.spans.at(-1)).toMatchObject({
    name: "burnwatch.final_mark",
    attributes: { "burnwatch.record.final_sequence": 2000 },
    resource: { "service.instance.id": "run-1" },
  });
  expect(sink.spans.at(-1)?.traceId.startsWith(ids.set)).toBe(false);
});

const many = Array.from({ length: 5000 }, (_, index) => bare(index));
const everyId = new Set(many.map((call) => ids.spanId(call.spanKey)));

test.each<[string, OtlpSink["answer"]]>([
  [
    "429 with Retry-After, once",
    (request) => (request === 3 ? { status: 429, headers: { "retry-after": "1" } } : undefined),
  ],
  [
    "503 to every fourth",
    (request) => (request % 4 === 0 ? { status: 503, headers: { "retry-after": "0" } } : undefined),
  ],
  ["a connection that breaks", (request) => (request === 2 ? "cut" : undefined)],
  [
    "429 more often than the exporter tries again",
    (request) => (request < 40 ? { status: 429, headers: { "retry-after": "0" } } : undefined),
  ],
])("nothing is lost or sent in vain: %s", async (_name, answer) => {
  sink.answer = answer;
  await sendAll(many);
  expect(records().length).toBe(many.length);
  expect(new Set(records().map((span) => span.spanId))).toEqual(everyId);
});

test("a slow server sets the pace: few exports are open at once, and all spans arrive", async () => {
  sink.delayMs = 50;
  await sendAll(many);
  expect(sink.openMost).toBeLessThanOrEqual(4);
  expect(new Set(records().map((span) => span.spanId))).toEqual(everyId);
});

test("a refusal that retrying cannot mend ends the sending with the server's words", async () => {
  sink.answer = () => ({ status: 400, body: "no such thing" });
  await expect(sendAll(many)).rejects.toThrow(`${sink.url} refused a batch of spans: HTTP 400`);
});

test("a server that stays away is given up in words", async () => {
  sink.answer = () => ({ status: 503, headers: { "retry-after": "0" } });
  await expect(sendAll(many, { giveUpMs: 500 })).rejects.toThrow(/has acknowledged nothing for \d+ s/);
});
