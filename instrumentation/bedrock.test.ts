import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildOnce } from "./testing/build-once.ts";
import { type FakeBedrock, startFakeBedrock } from "./testing/fake-bedrock.ts";
import { type OtlpReceiver, startOtlpReceiver } from "./testing/otlp-receiver.ts";
import { runNode } from "./testing/run-node.ts";

const folder = join(import.meta.dirname, "dist", "bedrock");
let bedrock: FakeBedrock;
let receiver: OtlpReceiver;

beforeAll(async () => {
  buildOnce();
  mkdirSync(folder, { recursive: true });
  receiver = await startOtlpReceiver();
  bedrock = await startFakeBedrock();
});
afterAll(async () => {
  await bedrock.close();
  await receiver.close();
});

const work = `
const client = new BedrockRuntimeClient({ region: "us-east-1", endpoint: process.env.BEDROCK, maxAttempts: 1,
  credentials: { accessKeyId: "a", secretAccessKey: "b" } });
const ask = (text) => client.send(new ConverseCommand({ modelId: "amazon.nova-pro-v1:0", messages: [{ role: "user", content: [{ text: "CANARY " + text }] }] }));
withAttribution({ feature: "chat", user: "ada" }, async () => {
  await ask("hello");
  await ask("scenario=error").catch(() => {});
  client.destroy();
});`;
const applications = {
  "bedrock.mjs": `import "@burnwatch/instrumentation/register"; import { withAttribution } from "@burnwatch/instrumentation";
    import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime";${work}`,
  "bedrock.cjs": `require("@burnwatch/instrumentation/register"); const { withAttribution } = require("@burnwatch/instrumentation");
    const { BedrockRuntimeClient, ConverseCommand } = require("@aws-sdk/client-bedrock-runtime");${work}`,
};

for (const [file, source] of Object.entries(applications)) {
  it(`Bedrock's Converse is a record where the peer package is installed: ${file}`, async () => {
    writeFileSync(join(folder, file), source);
    const before = receiver.spans.length;
    const bodies = receiver.bodies.length;
    const calls = bedrock.truths.length;
    const env = { BEDROCK: bedrock.url, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, AWS_REGION: "us-east-1" };
    const ran = await runNode([join(folder, file)], { env });
    expect(ran.stderr).not.toContain("Error");
    const [answered, failed] = receiver.spans.slice(before);
    const truth = bedrock.truths[calls];
    expect(answered?.attributes).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "aws.bedrock",
      "gen_ai.request.model": "amazon.nova-pro-v1:0",
      "gen_ai.usage.input_tokens": truth?.input,
      "gen_ai.usage.output_tokens": truth?.output,
      "burnwatch.feature": "chat",
      "user.id": "ada",
      "burnwatch.record.sequence": 1,
    });
    expect(failed?.failed).toBe(true);
    expect(receiver.bodies.slice(bodies).join("")).not.toContain("CANARY");
  });
}
