import { context, propagation, trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  InMemorySpanExporter,
  type Sampler,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace";
import Anthropic137 from "anthropic-0.137";
import Anthropic from "anthropic-1";
import OpenAI from "openai-7";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { withAttribution } from "./attribution.ts";
import { type Harness, startHarness, usageOfSpan, usageOfTruth } from "./testing/harness.ts";

let harness: Harness;
let openai: OpenAI;
let sampled = true;
const exporter = new InMemorySpanExporter();
const on = new AlwaysOnSampler();
const off = new AlwaysOffSampler();
const sampler: Sampler = { shouldSample: () => (sampled ? on : off).shouldSample(), toString: () => "switch" };
const sdk = new NodeSDK({
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
  sampler,
  metricReaders: [],
  logRecordProcessors: [],
});

beforeAll(async () => {
  harness = await startHarness();
  sdk.start();
  openai = new OpenAI({ apiKey: "k", baseURL: `${harness.provider.url}/v1`, maxRetries: 0 });
});
afterAll(async () => {
  await sdk.shutdown();
  await harness.close();
});
beforeEach(() => {
  exporter.reset();
  sampled = true;
});

const ask = (text: string) => [{ role: "user" as const, content: text }];
const tracer = trace.getTracer("app");

/** Calls within a span of the application, with its traceparent on the wire as its own instrumentation puts it. */
function inAppSpan<Result>(work: (headers: Record<string, string>) => Promise<Result>): Promise<Result> {
  return tracer.startActiveSpan("request", async (span) => {
    const headers: Record<string, string> = {};
    propagation.inject(context.active(), headers);
    try {
      return await work(headers);
    } finally {
      span.end();
    }
  });
}

describe("an application with an OpenTelemetry SDK of its own", () => {
  it("keeps its exporter to itself; our span is a child in the same trace", async () => {
    const { spans } = await harness.during(() =>
      inAppSpan((headers) => openai.chat.completions.create({ model: "gpt-4o", messages: ask("hello") }, { headers })),
    );
    const [app] = exporter.getFinishedSpans();
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(["request"]);
    expect(spans[0]?.traceId).toBe(app?.spanContext().traceId);
    expect(spans[0]?.parentSpanId).toBe(app?.spanContext().spanId);
  });

  it("when its sampler drops the trace, our span is recorded and the wire still says unsampled", async () => {
    sampled = false;
    const { spans, truths } = await harness.during(() =>
      inAppSpan((headers) => openai.chat.completions.create({ model: "gpt-4o", messages: ask("hello") }, { headers })),
    );
    expect(exporter.getFinishedSpans()).toEqual([]);
    expect(spans.length).toBe(1);
    expect(truths[0]?.headers["traceparent"]).toBe(`00-${spans[0]?.traceId}-${spans[0]?.parentSpanId}-00`);
  });
});

for (const [name, Client] of [
  ["0.137", Anthropic137 as unknown as typeof Anthropic],
  ["1", Anthropic],
] as const) {
  describe(`native spans of @anthropic-ai/sdk ${name}`, () => {
    const message = { model: "claude-opus-4", max_tokens: 9, messages: ask("hello") };
    const client = () => new Client({ apiKey: "k", baseURL: harness.provider.url, maxRetries: 0 });

    it("a native span is annotated, and our record bears its identity: a collector of both keeps one", async () => {
      const { spans, truths } = await harness.during(() =>
        withAttribution({ tenant: "acme", feature: "chat" }, async () => {
          await client().messages.create(message);
          for await (const _ of await client().messages.create({ ...message, stream: true }));
        }),
      );
      const native = exporter.getFinishedSpans();
      expect(native.map((span) => span.name)).toEqual(["anthropic.messages.create", "anthropic.messages.create"]);
      expect(spans.map(({ spanId }) => spanId)).toEqual(native.map((span) => span.spanContext().spanId));
      expect(spans.map(({ traceId }) => traceId)).toEqual(native.map((span) => span.spanContext().traceId));
      expect(spans.map(usageOfSpan)).toEqual(truths.map(usageOfTruth));
      expect(native[0]?.attributes).toMatchObject({ "burnwatch.tenant": "acme", "burnwatch.feature": "chat" });
      expect(native[0]?.attributes["gen_ai.usage.input_tokens"]).toBe(
        spans[0]?.attributes["gen_ai.usage.input_tokens"],
      );
    });

    it("a failed try within a native span is a span of its own", async () => {
      const { spans } = await harness.during(() =>
        client()
          .messages.create({ ...message, messages: ask("scenario=error429") })
          .catch(() => {}),
      );
      expect(spans.length).toBe(1);
      expect(spans[0]?.parentSpanId).toBe(exporter.getFinishedSpans()[0]?.spanContext().spanId);
    });

    it("unsampled, the native span is nothing and ours is recorded", async () => {
      sampled = false;
      const { spans, truths } = await harness.during(() => client().messages.create(message));
      expect(spans.map(usageOfSpan)).toEqual(truths.map(usageOfTruth));
    });
  });
}
