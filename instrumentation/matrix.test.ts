import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildOnce } from "./testing/build-once.ts";
import { type FakeBedrock, startFakeBedrock } from "./testing/fake-bedrock.ts";
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
let bedrock: FakeBedrock;
let receiver: OtlpReceiver;
let vendors: VendorSink;

beforeAll(async () => {
  buildOnce();
  provider = await startFakeProvider();
  bedrock = await startFakeBedrock();
  receiver = await startOtlpReceiver();
  vendors = await startVendorSink();
});
afterAll(async () => {
  await provider.close();
  await bedrock.close();
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
  if (mode === "error") return span?.failed === true && span.attributes["error.type"] !== undefined ? null : "no error";
  if (mode === "abort") return span?.attributes["burnwatch.usage.partial"] === true ? null : "not partial";
  const [got, expected] = [mine.map(usageOfSpan), calls.map(usageOfTruth)];
  if (JSON.stringify(got) !== JSON.stringify(expected)) return "usage differs";
  return mode === "tool" && span?.attributes["gen_ai.tool.name"] !== "get_weather" ? "tool missing" : null;
}

/** What is wrong with a cell: nothing, where every call is seen exactly, or, if unsupported, none is and one line says so. */
async function runCell(sdk: SdkUnderTest, variant: Variant): Promise<string[]> {
  const server = sdk.family === "bedrock" ? bedrock : provider;
  const parameters = await makeApp(sdk, variant);
  const [spansBefore, truthsBefore] = [receiver.spans.length, server.truths.length];
  const env = {
    PROVIDER: server.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    BURNWATCH_PROVIDERS: `${new URL(bedrock.url).host}=aws.bedrock`,
    ...vendors.environment,
  };
  const cwd = sdk.directory ?? import.meta.dirname;
  const ran = await runNode(parameters, { env, cwd });
  if (!ran.stdout.includes("done")) return [`failed: ${ran.stderr.slice(0, 500)}`];
  const spans = receiver.spans.slice(spansBefore).filter((span) => span.name !== "burnwatch.final_mark");
  const truths = server.truths.slice(truthsBefore);
  const warnings = ran.stderr.match(/WARNING .* no call was seen\..*/g) ?? [];
  if (sdk.unsupported?.(variant) === true) {
    const isTold = warnings.length === 1 && warnings[0]?.includes("unsupported without") === true;
    return spans.length === 0 && isTold ? [] : [`${spans.length} spans, ${warnings.length} warnings`];
  }
  const faults = (sdk.modes ?? modes).flatMap((mode) => {
    const fault = differs(mode, spans, truths);
    return fault === null ? [] : [`${mode}: ${fault}`];
  });
  if (warnings.length > 0) faults.push("warned for nothing");
  return spans.length === truths.length ? faults : [...faults, `${spans.length} spans for ${truths.length} calls`];
}

for (const sdk of sdksUnderTest) {
  describe(sdk.label, () => {
    for (const variant of variants) {
      const unsupported = sdk.unsupported?.(variant) === true;
      const claim = unsupported ? "unsupported, and one warning says so" : "spans = calls, usage exact";
      it(`${variant.format} beside ${variant.beside}: ${claim}`, { timeout: 60_000 }, async () => {
        const faults = await runCell(sdk, variant);
        expect(faults).toEqual([]);
        cells.set(`${sdk.label}|${variant.column}`, unsupported ? "unsupported" : "exact");
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
