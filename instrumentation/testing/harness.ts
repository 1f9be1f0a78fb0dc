/** Provider, receiver and the instrumentation in one test process; spans and truths side by side. */

import { type FakeProvider, startFakeProvider } from "./fake-provider.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "./otlp-receiver.ts";
import type { Truth } from "./truth.ts";

export interface Harness {
  readonly provider: FakeProvider;
  readonly receiver: OtlpReceiver;
  /** `fetch` and the environment as they were before the instrumentation. */
  readonly bareFetch: typeof fetch;
  /** Runs calls and returns the spans and truths that they caused. */
  during(work: () => Promise<unknown>): Promise<{ spans: ReceivedSpan[]; truths: Truth[] }>;
  close(): Promise<void>;
}

/** Starts everything; settings are environment variables for the instrumentation. Once per test file. */
export async function startHarness(environment: Record<string, string> = {}): Promise<Harness> {
  const bareFetch = globalThis.fetch;
  const provider = await startFakeProvider();
  const receiver = await startOtlpReceiver();
  const defaults = { BURNWATCH_LOG: "off", BURNWATCH_HASH_KEY: "test key", OTEL_SERVICE_NAME: "shop" };
  Object.assign(process.env, defaults, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }, environment);
  const { start } = await import("../start.ts");
  const { flush } = await import("../index.ts");
  start();
  return {
    provider,
    receiver,
    bareFetch,
    async during(work) {
      await flush(5000);
      const spansBefore = receiver.spans.length;
      const truthsBefore = provider.truths.length;
      await work();
      await settled();
      await flush(5000);
      return { spans: receiver.spans.slice(spansBefore), truths: provider.truths.slice(truthsBefore) };
    },
    async close() {
      await provider.close();
      await receiver.close();
    },
  };
}

async function settled(): Promise<void> {
  const { getRuntime } = await import("../runtime.ts");
  for (let tries = 0; tries < 100 && getRuntime().callsInFlight.size > 0; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Usage of a span in the terms of a truth. Counts that a span leaves out are 0. */
export function usageOfSpan(span: ReceivedSpan | undefined): Record<string, unknown> {
  const count = (key: string) => span?.attributes[key] ?? 0;
  return {
    id: span?.attributes["gen_ai.response.id"],
    input: count("gen_ai.usage.input_tokens"),
    output: count("gen_ai.usage.output_tokens"),
    cacheRead: count("gen_ai.usage.cache_read.input_tokens"),
    cacheWrite: count("gen_ai.usage.cache_write.input_tokens"),
    reasoning: count("gen_ai.usage.reasoning.output_tokens"),
  };
}

/** What a span of this call must say: APIs differ in what they report. */
export function usageOfTruth(truth: Truth | undefined): Record<string, unknown> {
  if (truth === undefined) return {};
  const anthropic = truth.api === "anthropic";
  const hasId = !["embeddings", "images", "audio", "bedrock"].includes(truth.api);
  const hasCache = hasId;
  return {
    id: hasId ? truth.id : undefined,
    input: truth.input,
    output: truth.api === "embeddings" ? 0 : truth.output,
    cacheRead: hasCache ? truth.cacheRead : 0,
    cacheWrite: anthropic ? truth.cacheWrite5m + truth.cacheWrite1h : 0,
    reasoning: hasCache && !anthropic ? truth.reasoning : 0,
  };
}
