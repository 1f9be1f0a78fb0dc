import http from "node:http";
import OpenAI from "openai-7";
import { afterAll, beforeAll, expect, it } from "vitest";
import { withAttribution } from "./attribution.ts";
import { keyedHash } from "./keyed-hash.ts";
import { type Harness, startHarness } from "./testing/harness.ts";

const canary = "CANARY-7f3a91";
let harness: Harness;
let written = "";
const write = process.stderr.write.bind(process.stderr);

beforeAll(async () => {
  process.stderr.write = ((text: string) => {
    written += text;
    return true;
  }) as typeof process.stderr.write;
  harness = await startHarness({ BURNWATCH_LOG: "on" });
});
afterAll(async () => {
  process.stderr.write = write;
  await harness.close();
});

it("a secret in eight places of a request is found in no span and no log line", async () => {
  const openai = new OpenAI({
    apiKey: `sk-${canary}`,
    baseURL: `${harness.provider.url}/${canary}/v1`,
    maxRetries: 0,
    defaultHeaders: { "x-note": canary },
    defaultQuery: { note: canary },
  });
  const tool = {
    type: "function" as const,
    function: { name: "look", description: canary, parameters: { [canary]: 1 } },
  };
  const past = {
    role: "assistant" as const,
    tool_calls: [{ id: canary, type: "function" as const, function: { name: "look", arguments: `{"q":"${canary}"}` } }],
  };
  const request = (scenario: string) => ({
    model: "gpt-4o",
    user: canary,
    metadata: { note: canary },
    tools: [tool],
    messages: [
      { role: "system" as const, content: canary },
      { role: "user" as const, content: `${canary} scenario=${scenario}` },
      past,
      { role: "tool" as const, tool_call_id: canary, content: canary },
    ],
  });
  const { spans, truths } = await harness.during(async () => {
    await withAttribution({ tenant: "acme" }, async () => {
      await openai.chat.completions.create(request("none"));
      await openai.chat.completions.create(request("tools"));
      // The provider echoes the request in its error message.
      await openai.chat.completions
        .create(request("error400"))
        .catch((error) => expect(String(error)).toContain(canary));
      const stream = await openai.chat.completions.create({ ...request("none"), stream: true });
      for await (const _ of stream);
      await openai.responses.create({ model: "gpt-4o", instructions: canary, input: canary });
      await failToConnect();
    });
  });
  expect(truths.length).toBe(5);
  expect(spans.length).toBe(6);
  expect(JSON.stringify(truths)).toContain(canary);
  expect(harness.receiver.bodies.join("")).not.toContain(canary);
  expect(written).toContain("guard inert");
  expect(written).not.toContain(canary);
});

it("hashes differ with the deployment's key and say nothing without it", async () => {
  const { hashToolArguments } = await import("./tool-hash.ts");
  const one = hashToolArguments(keyedHash("key a"), "look", '{"b":1,"a":[1,{"d":2,"c":3}]}');
  expect(hashToolArguments(keyedHash("key a"), "look", '{"a":[1,{"c":3,"d":2}],"b":1}')).toBe(one);
  expect(hashToolArguments(keyedHash("key b"), "look", '{"b":1,"a":[1,{"d":2,"c":3}]}')).not.toBe(one);
  expect(hashToolArguments(keyedHash("key a"), "other", '{"b":1,"a":[1,{"d":2,"c":3}]}')).not.toBe(one);
  expect(hashToolArguments(keyedHash("key a"), "look", "not json")).toMatch(/^[0-9a-f]{32}$/);
});

/** A network error whose message would hold the secret host name. */
function failToConnect(): Promise<void> {
  return new Promise((resolve) => {
    const sent = http.request({ host: "127.0.0.1", port: 1, method: "POST", path: `/${canary}/v1/chat/completions` });
    sent.on("error", () => resolve());
    sent.end(JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: canary }] }));
  });
}
