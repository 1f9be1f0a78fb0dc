import { unpack } from "msgpackr";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FakeProvider, startFakeProvider } from "./testing/fake-provider.ts";
import { usageOfSpan, usageOfTruth } from "./testing/harness.ts";
import { type OtlpReceiver, startOtlpReceiver } from "./testing/otlp-receiver.ts";
import { runSource } from "./testing/run-node.ts";
import { startVendorSink } from "./testing/vendor-sink.ts";

let provider: FakeProvider;
let receiver: OtlpReceiver;

beforeAll(async () => {
  provider = await startFakeProvider();
  receiver = await startOtlpReceiver();
});
afterAll(async () => {
  await provider.close();
  await receiver.close();
});

interface Vendor {
  readonly load: string;
  /** Runs work in a span of its own, as its manual shows. */
  readonly within: string;
  readonly flush: string;
  readonly unsampled: Readonly<Record<string, string>>;
  /** The trace id of the wire's own header. */
  readonly traceHeader: string;
  readonly traceId: RegExp;
  /** Names of the spans that the vendor's server received, sorted. */
  readonly namesOf: (path: string, body: Buffer) => readonly string[];
}

const vendors: Readonly<Record<string, Vendor>> = {
  Datadog: {
    load: `import "./testing/beside-datadog.ts";`,
    within: `import tracer from "dd-trace"; const within = (work) => tracer.trace("request", work);`,
    flush: "",
    unsampled: { DD_TRACE_SAMPLE_RATE: "0" },
    traceHeader: "traceparent",
    traceId: /^00-(\w{32})-\w{16}-0([01])$/,
    namesOf: (path, body) =>
      path === "/v0.4/traces"
        ? (unpack(body) as { name: string; resource: string }[][])
            .flat()
            .map(({ name, resource }) => `${name} ${resource}`)
        : [],
  },
  Sentry: {
    load: `import "./testing/beside-sentry.ts";`,
    within: `import { flush, startSpan } from "@sentry/node"; const within = (work) => startSpan({ name: "request" }, work);`,
    flush: "await flush(2000);",
    unsampled: { SENTRY_TRACES_SAMPLE_RATE: "0" },
    traceHeader: "sentry-trace",
    traceId: /^(\w{32})-\w{16}-([01])$/,
    namesOf: (_path, body) =>
      body
        .toString("utf8")
        .split("\n")
        .filter((line) => line.startsWith('{"version":2'))
        .flatMap((line) => (JSON.parse(line) as { items: { name: string }[] }).items.map(({ name }) => name)),
  },
};

const own = `import "./register.ts";`;
/** The newest client over fetch and an old one over node:http; then time for an export while the process lives. */
const work = `
import OpenAI from "openai-7";
import OpenAI4 from "openai-4";
for (const Client of [OpenAI, OpenAI4]) await within(async () => {
  const client = new Client({ apiKey: "k", baseURL: process.env.PROVIDER + "/" + process.env.RUN + "/v1", maxRetries: 0 });
  await client.chat.completions.create({ model: "gpt-4o", messages: [{ role: "user", content: "hello" }] });
});
await new Promise((resolve) => setTimeout(resolve, 1500));`;

let runs = 0;

async function run(vendor: Vendor, imports: string, environment: Readonly<Record<string, string>> = {}) {
  runs += 1;
  const name = `run-${runs}`;
  const sink = await startVendorSink();
  const env = {
    ...sink.environment,
    PROVIDER: provider.url,
    RUN: name,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_SERVICE_NAME: name,
    ...environment,
  };
  const ran = await runSource(`${imports}${vendor.within}${work}${vendor.flush}`, { env });
  await sink.close();
  const received = provider.received.filter(({ path }) => path.startsWith(`/${name}/`));
  const spans = receiver.spans.filter((span) => span.resource["service.name"] === name && span.name === "chat gpt-4o");
  const ids = new Set(spans.map((span) => span.attributes["gen_ai.response.id"]));
  return {
    stderr: ran.stderr,
    spans,
    truths: provider.truths.filter(({ id }) => ids.has(id)),
    headerNames: received.map(({ headers }) => Object.keys(headers).sort()),
    traces: received.map(({ headers }) => vendor.traceId.exec(String(headers[vendor.traceHeader]))?.slice(1)),
    vendorSpans: sink.received.flatMap(({ path, body }) => vendor.namesOf(path, body)).sort(),
  };
}

for (const [name, vendor] of Object.entries(vendors)) {
  describe(`beside ${name}`, () => {
    it("calls are spans in its traces; what it sends and records is what it was without us, in either order", {
      timeout: 60_000,
    }, async () => {
      const [alone, first, last] = await Promise.all([
        run(vendor, vendor.load),
        run(vendor, own + vendor.load),
        run(vendor, vendor.load + own),
      ]);
      expect(alone.vendorSpans.length).toBeGreaterThanOrEqual(4);
      for (const beside of [first, last]) {
        expect(beside.stderr).toContain(`beside ${name}, left as it is`);
        expect(beside.spans.length).toBe(2);
        expect(beside.spans.map(usageOfSpan)).toEqual(beside.truths.map(usageOfTruth));
        expect(beside.spans.map(({ traceId }) => traceId)).toEqual(beside.traces.map((trace) => trace?.[0]));
        expect(beside.traces.map((trace) => trace?.[1])).toEqual(["1", "1"]);
        expect(beside.headerNames).toEqual(alone.headerNames);
        expect(beside.vendorSpans).toEqual(alone.vendorSpans);
      }
    });

    it("when it samples nothing, calls are recorded and the wire says unsampled", { timeout: 60_000 }, async () => {
      const beside = await run(vendor, vendor.load + own, vendor.unsampled);
      expect(beside.spans.length).toBe(2);
      expect(beside.spans.map(usageOfSpan)).toEqual(beside.truths.map(usageOfTruth));
      expect(beside.traces).toEqual(beside.spans.map(({ traceId }) => [traceId, "0"]));
    });
  });
}
