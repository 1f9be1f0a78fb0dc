import http from "node:http";
import AnthropicOld from "anthropic-0.30";
import axios from "axios";
import got from "got";
import OpenAI4 from "openai-4";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wrapFetch } from "../index.ts";
import { type Harness, startHarness, usageOfSpan, usageOfTruth } from "../testing/harness.ts";

const bareRequest = http.request;
let harness: Harness;
let openai: OpenAI4;

beforeAll(async () => {
  harness = await startHarness();
  openai = new OpenAI4({ apiKey: "sk-test", baseURL: `${harness.provider.url}/v1`, maxRetries: 1 });
});
afterAll(() => harness.close());

const ask = (text: string) => [{ role: "user" as const, content: text }];

describe("openai 4 over node-fetch", () => {
  it("plain, stream and tools are one span each with exact usage", async () => {
    let chunks = 0;
    const { spans, truths } = await harness.during(async () => {
      await openai.chat.completions.create({ model: "gpt-4o", messages: ask("hello") });
      const stream = await openai.chat.completions.create({ model: "gpt-4o", messages: ask("hello"), stream: true });
      for await (const _ of stream) chunks += 1;
      await openai.chat.completions.create({ model: "gpt-4o", messages: ask("scenario=tools") });
    });
    expect(spans.map(usageOfSpan)).toEqual(truths.map(usageOfTruth));
    expect(truths.length).toBe(3);
    expect(chunks).toBe(6);
    expect(spans[2]?.attributes["gen_ai.tool.name"]).toBe("get_weather");
    expect(spans[1]?.attributes["gen_ai.response.time_to_first_chunk"]).toBeGreaterThan(0);
  });

  it("errors are the SDK's own and retries are counted", async () => {
    let error: unknown;
    const { spans } = await harness.during(() =>
      openai.chat.completions.create({ model: "gpt-4o", messages: ask("scenario=error500") }).catch((caught) => {
        error = caught;
      }),
    );
    expect(error).toBeInstanceOf(OpenAI4.InternalServerError);
    expect(spans.map((span) => span.attributes["burnwatch.request.attempt"])).toEqual([1, 2]);
  });

  it("an aborted stream is one partial span", async () => {
    const { spans } = await harness.during(async () => {
      const stream = await openai.chat.completions.create({
        model: "gpt-4o",
        messages: ask("scenario=slow"),
        stream: true,
      });
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    });
    expect(spans.length).toBe(1);
    expect(spans[0]?.attributes["burnwatch.usage.partial"]).toBe(true);
  });

  it("a host that refuses stream_options is asked once without it", async () => {
    const other = new OpenAI4({ apiKey: "k", baseURL: `${harness.provider.url.replace("127.0.0.1", "localhost")}/v1` });
    let chunks = 0;
    const run = async () => {
      const stream = await other.chat.completions.create({
        model: "llama",
        messages: ask("scenario=refuse"),
        stream: true,
      });
      for await (const _ of stream) chunks += 1;
    };
    const first = await harness.during(run);
    expect(first.truths.map((truth) => truth.status)).toEqual([422, 200]);
    expect(first.spans.map((span) => span.failed)).toEqual([false]);
    const second = await harness.during(run);
    expect(second.truths.map((truth) => truth.status)).toEqual([200]);
    expect(chunks).toBe(12);
  });

  it("another 400 reaches the application with its body", async () => {
    const message = await openai.chat.completions
      .create({ model: "gpt-4o", messages: ask("scenario=error400"), stream: true })
      .catch((error: Error) => error.message);
    expect(message).toContain("cannot serve");
  });
});

describe("other clients of node:http", () => {
  it("Anthropic 0.30 counts like the newest", async () => {
    const anthropic = new AnthropicOld({ apiKey: "k", baseURL: harness.provider.url, maxRetries: 0 });
    const message = { model: "claude-opus-4", max_tokens: 9, messages: ask("hello") };
    const { spans, truths } = await harness.during(async () => {
      await anthropic.messages.create(message);
      for await (const _ of await anthropic.messages.create({ ...message, stream: true }));
    });
    expect(spans.map(usageOfSpan)).toEqual(truths.map(usageOfTruth));
    expect(truths.length).toBe(2);
  });

  it("axios and got come with it", async () => {
    const body = { model: "gpt-4o", messages: ask("scenario=gzip") };
    const url = `${harness.provider.url}/v1/chat/completions`;
    const { spans, truths } = await harness.during(async () => {
      const answer = await axios.post(url, body);
      expect(answer.data.choices[0].message.content).toBe("Hello there");
      await got.post(url, { json: body }).json();
      await axios.post(url, { ...body, messages: ask("hello"), stream: true });
    });
    expect(spans.map(usageOfSpan)).toEqual(truths.map(usageOfTruth));
    expect(truths.length).toBe(3);
  });

  it("a fetch that lies over node:http is one call, not two", async () => {
    const overHttp = (async (url: string, init: { body: string }) => {
      const answer = await axios.post(url, init.body, { headers: { "content-type": "application/json" } });
      return new Response(JSON.stringify(answer.data), { headers: { "content-type": "application/json" } });
    }) as unknown as typeof fetch;
    const body = JSON.stringify({ model: "gpt-4o", messages: ask("hello") });
    const { spans, truths } = await harness.during(() =>
      wrapFetch(overHttp)(`${harness.provider.url}/v1/chat/completions`, { method: "POST", body }).then((r) =>
        r.json(),
      ),
    );
    expect([spans.length, truths.length]).toEqual([1, 1]);
  });

  it("a form with a file is read for its model only", async () => {
    const { spans, truths } = await harness.during(async () => {
      const file = new File(["audio"], "a.wav");
      await openai.audio.transcriptions.create({ model: "whisper-1", file });
    });
    expect(spans.map(usageOfSpan)).toEqual(truths.map(usageOfTruth));
    expect(spans[0]?.attributes["gen_ai.request.model"]).toBe("whisper-1");
  });
});

describe("the application's answer stays what it was", () => {
  const post = (request: typeof http.request, body: object) =>
    new Promise<{ text: string; chunks: number; error: string }>((resolve) => {
      const sent = request(`${harness.provider.url}/v1/chat/completions`, { method: "POST" }, (response) => {
        const chunks: Buffer[] = [];
        const done = (error: string) =>
          resolve({ text: Buffer.concat(chunks).toString("latin1"), chunks: chunks.length, error });
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => done(""));
        response.on("error", (error) => done(String(error)));
      });
      sent.setHeader("content-type", "application/json");
      sent.write(JSON.stringify({ model: "gpt-4o", messages: [], ...body }).slice(0, 20));
      sent.end(JSON.stringify({ model: "gpt-4o", messages: [], ...body }).slice(20));
    });
  const sameBytes = (text: string) => text.replace(/chat-\d+/g, "chat-N").replace(/_tokens":\d+/g, '_tokens":N');

  for (const scenario of ["plain", "tools", "broken", "bytes", "truncated", "cut", "drop", "big"]) {
    for (const stream of [true, false]) {
      it(`byte for byte: ${scenario}, ${stream ? "streamed" : "whole"}`, async () => {
        const body = { user: `scenario=${scenario}`, stream };
        const bare = await post(bareRequest, body);
        const { spans } = await harness.during(async () => {
          const own = await post(http.request, body);
          expect(sameBytes(own.text) === sameBytes(bare.text)).toBe(true);
          expect(own.error).toBe(bare.error);
        });
        expect(spans.length).toBe(1);
      });
    }
  }

  it("a request without an answer and one that cannot connect end with the same error", async () => {
    const { spans } = await harness.during(
      () =>
        new Promise((resolve) => {
          const sent = http.request("http://127.0.0.1:1/v1/chat/completions", { method: "POST" });
          sent.on("error", (error: NodeJS.ErrnoException) => resolve(expect(error.code).toBe("ECONNREFUSED")));
          sent.end(JSON.stringify({ model: "gpt-4o", messages: [] }));
        }),
    );
    expect(spans[0]?.attributes["error.type"]).toBe("ECONNREFUSED");
  });
});
