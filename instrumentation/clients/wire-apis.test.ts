import { GoogleGenAI } from "@google/genai";
import OpenAI, { AzureOpenAI, toFile } from "openai-7";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stats, wrapFetch } from "../index.ts";
import { type Harness, startHarness, usageOfSpan, usageOfTruth } from "../testing/harness.ts";

let harness: Harness;
let openai: OpenAI;

beforeAll(async () => {
  harness = await startHarness({ BURNWATCH_PROVIDERS: "localhost=groq" });
  openai = new OpenAI({ apiKey: "k", baseURL: `${harness.provider.url}/v1`, maxRetries: 0 });
});
afterAll(() => harness.close());

async function exact(work: () => Promise<unknown>) {
  const { spans, truths } = await harness.during(work);
  expect(truths.length).toBeGreaterThan(0);
  expect(spans.map(usageOfSpan)).toEqual(truths.map(usageOfTruth));
  return spans.map((span) => span.attributes);
}

describe("OpenAI", () => {
  it("responses: plain, streamed, tools", async () => {
    const spans = await exact(async () => {
      await openai.responses.create({ model: "gpt-5", input: "hello" });
      for await (const _ of await openai.responses.create({ model: "gpt-5", input: "hello", stream: true }));
      await openai.responses.create({ model: "gpt-5", input: "scenario=tools" });
      await openai.responses.stream({ model: "gpt-5", input: "scenario=tools" }).finalResponse();
    });
    expect(spans.map((span) => span["gen_ai.response.finish_reasons"])).toEqual(Array(4).fill(["completed"]));
    expect(spans[1]?.["gen_ai.response.time_to_first_chunk"]).toBeGreaterThan(0);
    expect(spans[2]?.["burnwatch.tool.args_hash"]).toBe(spans[3]?.["burnwatch.tool.args_hash"]);
    expect(spans[3]?.["gen_ai.tool.name"]).toBe("get_weather");
  });

  it("embeddings have input only, also as base64 that the SDK decodes", async () => {
    const [span] = await exact(async () => {
      const answer = await openai.embeddings.create({ model: "text-embedding-3-small", input: ["a", "b"] });
      expect(answer.data[1]?.embedding).toEqual([0.5, -0.25, 0.125]);
    });
    expect(span?.["gen_ai.operation.name"]).toBe("embeddings");
    expect(span?.["gen_ai.usage.output_tokens"]).toBeUndefined();
  });

  it("images and audio report tokens by modality", async () => {
    const spans = await exact(async () => {
      await openai.images.generate({ model: "gpt-image-1", prompt: "a cat" });
      const file = await toFile(Buffer.from("audio"), "a.wav");
      await openai.audio.transcriptions.create({ model: "gpt-4o-transcribe", file });
    });
    expect(spans[0]?.["gen_ai.usage.text.input_tokens"]).toBe(40);
    expect(spans[1]?.["gen_ai.usage.audio.input_tokens"]).toBe(spans[1]?.["gen_ai.usage.input_tokens"]);
    expect(spans[1]?.["gen_ai.request.model"]).toBe("gpt-4o-transcribe");
  });

  it("retries by hand, without the SDK's header, are recognised by their body", async () => {
    const { spans } = await harness.during(async () => {
      const init = { method: "POST", body: JSON.stringify({ model: "m", messages: [], user: "scenario=flaky" }) };
      await fetch(`${harness.provider.url}/v1/chat/completions`, init);
      await (await fetch(`${harness.provider.url}/v1/chat/completions`, init)).json();
    });
    expect(spans.map((span) => span.attributes["burnwatch.request.attempt"])).toEqual([1, 2]);
  });

  it("hostile header values neither break the call nor become numbers", async () => {
    const headers = { "x-stainless-retry-count": "9999999999", baggage: "%%%=,;", traceparent: "00-zz" };
    const { spans } = await harness.during(async () => {
      const init = { method: "POST", headers, body: JSON.stringify({ model: "m", messages: [] }) };
      await (await fetch(`${harness.provider.url}/v1/chat/completions`, init)).json();
    });
    expect(spans[0]?.attributes["burnwatch.request.attempt"]).toBe(1);
  });

  it("the stable prefix is measured against the prompt before it", async () => {
    const system = { role: "system" as const, content: "You are a helpful clerk. ".repeat(40) };
    const ask = (content: string) =>
      openai.chat.completions.create({ model: "gpt-prefix", messages: [system, { role: "user", content }] });
    const { spans } = await harness.during(async () => {
      await ask("one");
      await ask("two");
    });
    expect(spans[0]?.attributes["burnwatch.prompt.stable_prefix_characters"]).toBeUndefined();
    expect(spans[1]?.attributes["burnwatch.prompt.stable_prefix_characters"]).toBe(960);
    expect(spans[0]?.attributes["burnwatch.prompt.prefix_hash"]).toMatch(/^[0-9a-f]{16}$/);
  });

  it("the same prompt has the same hash, another one another, embeddings too", async () => {
    const ask = (content: string, user: string) =>
      openai.chat.completions.create({ model: "gpt-hash", user, messages: [{ role: "user", content }] });
    const { spans } = await harness.during(async () => {
      await ask("one", "u1");
      await ask("two", "u1");
      await ask("one", "u2");
      await openai.embeddings.create({ model: "text-embedding-3-small", input: "one" });
    });
    const [one, two, again, embedded] = spans.map(({ attributes }) => attributes["burnwatch.prompt.hash"]);
    expect(one).toMatch(/^[0-9a-f]{16}$/);
    expect(again).toBe(one);
    expect(embedded).toMatch(/^[0-9a-f]{16}$/);
    expect(new Set([one, two, embedded]).size).toBe(3);
  });
});

describe("others", () => {
  it("Azure: the deployment is the requested model and the provider is Azure", async () => {
    const azure = new AzureOpenAI({
      apiKey: "k",
      endpoint: harness.provider.url,
      apiVersion: "2025-04-01-preview",
      deployment: "prod-gpt",
      maxRetries: 0,
    });
    const messages = [{ role: "user" as const, content: "hello" }];
    const spans = await exact(async () => {
      await azure.chat.completions.create({ model: "gpt-4o", messages });
      for await (const _ of await azure.chat.completions.create({ model: "gpt-4o", messages, stream: true }));
    });
    expect(spans.map((span) => span["gen_ai.provider.name"])).toEqual(["azure.ai.openai", "azure.ai.openai"]);
  });

  it("an OpenAI-compatible server is OpenAI unless the settings name it", async () => {
    const url = `${harness.provider.url.replace("127.0.0.1", "localhost")}/openai/v1`;
    const other = new OpenAI({ apiKey: "k", baseURL: url });
    const messages = [{ role: "user" as const, content: "hello" }];
    const [span] = await exact(() => other.chat.completions.create({ model: "llama-3.3-70b", messages }));
    expect(span?.["gen_ai.provider.name"]).toBe("groq");
  });

  it("Gemini: thoughts count as output, the model stands in the path", async () => {
    const genai = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: harness.provider.url } });
    const spans = await exact(async () => {
      await genai.models.generateContent({ model: "gemini-2.5-pro", contents: "hello" });
      const stream = await genai.models.generateContentStream({ model: "gemini-2.5-pro", contents: "hello" });
      for await (const _ of stream);
      await genai.models.generateContent({ model: "gemini-2.5-pro", contents: "scenario=tools" });
    });
    expect(spans[0]).toMatchObject({
      "gen_ai.provider.name": "gcp.gemini",
      "gen_ai.request.model": "gemini-2.5-pro",
      "gen_ai.operation.name": "generate_content",
      "gen_ai.response.finish_reasons": ["STOP"],
    });
    expect(spans[2]?.["gen_ai.tool.name"]).toBe("get_weather");
  });

  it("wrapFetch sees a fetch of one's own, once, also over the watched global", async () => {
    const body = JSON.stringify({ model: "gpt-4o", messages: [] });
    const post = (fetcher: typeof fetch) =>
      fetcher(`${harness.provider.url}/v1/chat/completions`, { method: "POST", body }).then((answer) => answer.json());
    const before = stats().calls;
    await exact(() => post(wrapFetch(harness.bareFetch)));
    await exact(() => post(wrapFetch(fetch)));
    await exact(() => post(wrapFetch(wrapFetch(harness.bareFetch))));
    expect(stats().calls - before).toBe(3);
  });
});
