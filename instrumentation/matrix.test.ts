import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildOnce } from "./testing/build-once.ts";
import { type FakeProvider, startFakeProvider } from "./testing/fake-provider.ts";
import { usageOfSpan, usageOfTruth } from "./testing/harness.ts";
import { makeApp, type SdkUnderTest, sdksUnderTest, type Variant, variants } from "./testing/matrix-apps.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "./testing/otlp-receiver.ts";
import { runNode } from "./testing/run-node.ts";
import { type Mode, modes } from "./testing/sdk-actions.ts";
import type { Truth } from "./testing/truth.ts";
import { startVendorSink, type VendorSink } from "./testing/vendor-sink.ts";

const readme = join(import.meta.dirname, "README.md");
const cells = new Map<string, string>();
let provider: FakeProvider;
let receiver: OtlpReceiver;
let vendors: VendorSink;

beforeAll(async () => {
  buildOnce();
  provider = await startFakeProvider();
  receiver = await startOtlpReceiver();
  vendors = await startVendorSink();
});
afterAll(async () => {
  await provider.close();
  await receiver.close();
  await vendors.close();
});

/** Null when every call of the mode is one span with exact usage, else what differs. */
function differs(mode: Mode, spans: readonly ReceivedSpan[], truths: readonly Truth[]): string | null {
  const mine = spans.filter((span) => span.attributes["burnwatch.feature"] === mode);
  const calls = truths.filter((truth) => JSON.stringify(truth.request).includes(`mode=${mode}`));
  if (calls.length === 0) return "no call";
  if (mine.length !== calls.length) return `${mine.length} spans for ${calls.length} calls`;
  const [span] = mine;
  if (mode === "error") return span?.attributes["error.type"] === "400" ? null : "no error";
  if (mode === "abort") return span?.attributes["burnwatch.usage.partial"] === true ? null : "not partial";
  const [got, expected] = [mine.map(usageOfSpan), calls.map(usageOfTruth)];
  if (JSON.stringify(got) !== JSON.stringify(expected)) return "usage differs";
  return mode === "tool" && span?.attributes["gen_ai.tool.name"] !== "get_weather" ? "tool missing" : null;
}

async function runCell(sdk: SdkUnderTest, variant: Variant): Promise<string[]> {
  const parameters = await makeApp(sdk, variant);
  const [spansBefore, truthsBefore] = [receiver.spans.length, provider.truths.length];
  const env = {
    PROVIDER: provider.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    BURNWATCH_LOG: "off",
    ...vendors.environment,
  };
  const ran = await runNode(parameters, { env });
  if (!ran.stdout.includes("done")) return [`failed: ${ran.stderr.slice(0, 500)}`];
  const spans = receiver.spans.slice(spansBefore).filter((span) => span.name !== "burnwatch.final_mark");
  const truths = provider.truths.slice(truthsBefore);
  const faults = modes.flatMap((mode) => {
    const fault = differs(mode, spans, truths);
    return fault === null ? [] : [`${mode}: ${fault}`];
  });
  return spans.length === truths.length ? faults : [...faults, `${spans.length} spans for ${truths.length} calls`];
}

for (const sdk of sdksUnderTest) {
  describe(sdk.label, () => {
    for (const variant of variants) {
      it(`${variant.format} beside ${variant.beside}: spans = calls, usage exact`, { timeout: 60_000 }, async () => {
        const faults = await runCell(sdk, variant);
        const key = `${sdk.label}|${variant.column}`;
        const exact = faults.length === 0 && (cells.get(key) ?? "exact") === "exact";
        cells.set(key, exact ? "exact" : "unsupported");
        expect(faults).toEqual([]);
      });
    }
  });
}

it("the table in the README is the one of this run", () => {
  const titles = [...new Set(variants.map(({ column }) => column))];
  const columns = ["", ...titles];
  const rows = sdksUnderTest.map(({ label }) => [
    label,
    ...titles.map((title) => cells.get(`${label}|${title}`) ?? "not run"),
  ]);
  const widths = columns.map((title, index) => Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const line = (values: readonly string[]) =>
    `| ${values.map((value, index) => value.padEnd(widths[index] ?? 0)).join(" | ")} |`;
  const table = [line(columns), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
  const pattern = /(<!-- sdk table -->\n)[\s\S]*?(<!-- end -->)/;
  const text = readFileSync(readme, "utf8");
  const updated = text.replace(pattern, `$1${table}\n$2`);
  if (process.env["UPDATE_README"] === "1") writeFileSync(readme, updated);
  else expect(text === updated, "run this suite with UPDATE_README=1").toBe(true);
});
