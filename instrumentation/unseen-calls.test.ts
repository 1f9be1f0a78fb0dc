import { channel } from "node:diagnostics_channel";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { getRuntime, type Runtime } from "./runtime.ts";
import { warnAboutUnseenCalls } from "./unseen-calls.ts";

let written: string[] = [];
let runtime: Runtime;

beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => written.push(String(text)) > 0);
  runtime = { ...getRuntime(), counters: { calls: 0, faults: 0 } };
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const overUndici = (origin: string) => channel("undici:request:create").publish({ request: { origin } });
const overHttp2 = (authority: string) =>
  channel("http2.client.stream.created").publish({ headers: { ":authority": authority } });

it("60 s after the first contact with a model's host, and once only", () => {
  warnAboutUnseenCalls(runtime);
  overUndici("https://api.anthropic.com");
  vi.advanceTimersByTime(30_000);
  overUndici("https://api.openai.com");
  vi.advanceTimersByTime(29_999);
  expect(written).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(written).toEqual([
    "burnwatch: WARNING api.anthropic.com was contacted 60 s ago and no call was seen. Import @burnwatch/instrumentation/register first, or give the client wrapFetch(fetch).\n",
  ]);
  overUndici("https://api.openai.com");
  vi.advanceTimersByTime(200_000);
  expect(written.length).toBe(1);
});

it("not where a call was seen in the meantime, and not about other hosts", () => {
  warnAboutUnseenCalls(runtime);
  overUndici("https://example.com");
  vi.advanceTimersByTime(100_000);
  overUndici("https://api.openai.com");
  runtime.counters.calls += 1;
  vi.advanceTimersByTime(100_000);
  expect(written).toEqual([]);
});

it("of Bedrock over HTTP/2 it says what is needed", () => {
  warnAboutUnseenCalls(runtime);
  overHttp2("bedrock-runtime.eu-west-1.amazonaws.com");
  vi.advanceTimersByTime(60_000);
  expect(written.length).toBe(1);
  expect(written[0]).toContain("bedrock-runtime.eu-west-1.amazonaws.com was contacted 60 s ago and no call was seen");
  expect(written[0]).toContain("unsupported without @opentelemetry/instrumentation-aws-sdk (0.79 or newer)");
});

it("of a server that BURNWATCH_PROVIDERS names it warns too", () => {
  runtime = { ...runtime, settings: { ...runtime.settings, providers: new Map([["llm.internal:8443", "vllm"]]) } };
  warnAboutUnseenCalls(runtime);
  overUndici("https://llm.internal:8443");
  vi.advanceTimersByTime(60_000);
  expect(written[0]).toContain("llm.internal:8443");
});
