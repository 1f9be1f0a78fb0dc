import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildOnce } from "./testing/build-once.ts";
import { type OtlpReceiver, startOtlpReceiver } from "./testing/otlp-receiver.ts";
import { runNode } from "./testing/run-node.ts";

const folder = join(import.meta.dirname, "dist", "bedrock");
let bedrock: Http2Server;
let receiver: OtlpReceiver;
let url: string;

beforeAll(async () => {
  buildOnce();
  mkdirSync(folder, { recursive: true });
  receiver = await startOtlpReceiver();
  bedrock = createServer((request, response) => {
    const failing = request.url.includes("broken");
    response.writeHead(failing ? 400 : 200, { "content-type": "application/json" });
    const message = { role: "assistant", content: [{ text: "CANARY answer" }] };
    const usage = { inputTokens: 321, outputTokens: 45, totalTokens: 366 };
    const answer = { output: { message }, stopReason: "end_turn", usage, metrics: { latencyMs: 1 } };
    response.end(JSON.stringify(failing ? { message: "CANARY error" } : answer));
  });
  await new Promise<void>((resolve) => bedrock.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(bedrock.address() as AddressInfo).port}`;
});
afterAll(async () => {
  bedrock.close();
  await receiver.close();
});

const work = `
const client = new BedrockRuntimeClient({ region: "us-east-1", endpoint: process.env.BEDROCK, maxAttempts: 1,
  credentials: { accessKeyId: "a", secretAccessKey: "b" } });
const ask = (modelId) => client.send(new ConverseCommand({ modelId, messages: [{ role: "user", content: [{ text: "CANARY" }] }] }));
withAttribution({ feature: "chat", user: "ada" }, async () => {
  await ask("amazon.nova-pro-v1:0");
  await ask("broken").catch(() => {});
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
    const env = { BEDROCK: url, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, AWS_REGION: "us-east-1" };
    const ran = await runNode([join(folder, file)], { env });
    expect(ran.stderr).not.toContain("Error");
    const [answered, failed] = receiver.spans.slice(before);
    expect(answered?.attributes).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "aws.bedrock",
      "gen_ai.request.model": "amazon.nova-pro-v1:0",
      "gen_ai.usage.input_tokens": 321,
      "gen_ai.usage.output_tokens": 45,
      "burnwatch.feature": "chat",
      "user.id": "ada",
      "burnwatch.record.sequence": 1,
    });
    expect(failed?.failed).toBe(true);
    expect(receiver.bodies.slice(bodies).join("")).not.toContain("CANARY");
  });
}
