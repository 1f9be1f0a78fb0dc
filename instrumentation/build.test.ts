import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type FakeProvider, startFakeProvider } from "./testing/fake-provider.ts";
import { type OtlpReceiver, startOtlpReceiver } from "./testing/otlp-receiver.ts";
import { runNode } from "./testing/run-node.ts";

const out = join(import.meta.dirname, "dist", "stripped");
let provider: FakeProvider;
let receiver: OtlpReceiver;

beforeAll(async () => {
  execFileSync(process.execPath, [join(import.meta.dirname, "build.ts"), "--strip", "--out", out], { stdio: "pipe" });
  provider = await startFakeProvider();
  receiver = await startOtlpReceiver();
});
afterAll(async () => {
  rmSync(out, { recursive: true, force: true });
  await provider.close();
  await receiver.close();
});

const call = `fetch(process.env.PROVIDER + "/v1/chat/completions", { method: "POST",
  body: JSON.stringify({ model: "gpt-4o", messages: [] }) }).then((response) => response.json())`;

for (const [name, parameters] of [
  [
    "ES modules",
    ["--input-type=module", "--eval", `import ${JSON.stringify(`${out}/esm/register.js`)}; await ${call};`],
  ],
  ["CommonJS", ["--eval", `require(${JSON.stringify(`${out}/cjs/register.js`)}); ${call};`]],
] as const) {
  it(`built without a compiler, as ${name}, it records a call`, async () => {
    const before = receiver.spans.length;
    const env = { PROVIDER: provider.url, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
    const ran = await runNode(parameters, { env });
    expect(ran.code).toBe(0);
    expect(receiver.spans.slice(before).map((span) => span.name)).toEqual(["chat gpt-4o", "burnwatch.final_mark"]);
  });
}
