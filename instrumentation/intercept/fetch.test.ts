import Anthropic from "anthropic-1";
import OpenAI from "openai-7";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, startHarness, usageOfSpan, usageOfTruth } from "../testing/harness.ts";

let harness: Harness;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  harness = await startHarness();
  openai = new OpenAI({ apiKey: "sk-test", baseURL: `${harness.provider.url}/v1`, maxRetries: 1 });
  anthropic = new Anthropic({ apiKey: "sk-test", baseURL: harness.provider.url, maxRetries: 0 });
});
afterAll(() => harness.close());

const ask = (text: string) => [{ role: "user" as const, content: text }];

describe("OpenAI chat over fetch", () => {
  it("a plain call is one span with the provider's own counts", async () => {
    const { spans, truths } = await harness.during(() =>
      openai.chat.completions.create({ model: "gpt-4o", messages: ask("hello") }),
    );
    expect(spans.length).toBe(1);
    expect(usageOfSpan(spans[0])).toEqual(usageOfTruth(truths[0]));
    expect(spans[0]?.name).toBe("chat gpt-4o");
    expect(spans[0]?.resource["service.name"]).toBe("shop");
    expect(spans[0]?.attributes).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.response.model": "gpt-4o",
      "gen_ai.response.finish_reasons": ["stop"],
      "openai.response.service_tier": "default",
      "burnwatch.request.attempt": 1,
    });
  });

  it("a stream reports usage although the application did not ask, and the application sees no trace of it", async () => {
    const chunks: unknown[] = [];
    const { spans, truths } = await harness.during(async () => {
      const stream = await openai.chat.completions.create({ model: "gpt-4o", messages: ask("hello"), stream: true });
      for await (const chunk of stream) chunks.push(chunk);
    });
    expect(spans.length).toBe(1);
    expect(truths[0]?.request["stream_options"]).toEqual({ include_usage: true });
    expect(usageOfSpan(spans[0])).toEqual(usageOfTruth(truths[0]));
    expect(spans[0]?.attributes["gen_ai.response.time_to_first_chunk"]).toBeGreaterThan(0);
    expect(spans[0]?.attributes["burnwatch.usage.partial"]).toBeUndefined();
    expect(chunks.length).toBe(6);
    expect(JSON.stringify(chunks)).not.toContain("prompt_tokens");
    expect(chunks.every((chunk) => !("usage" in (chunk as object)))).toBe(true);
  });

  it("a stream whose application asks for usage keeps its usage chunk", async () => {
    const chunks: { usage?: unknown }[] = [];
    const { spans, truths } = await harness.during(async () => {
      const stream = await openai.chat.completions.create({
        model: "gpt-4o",
        messages: ask("hello"),
        stream: true,
        stream_options: { include_usage: true },
      });
      for await (const chunk of stream) chunks.push(chunk);
    });
    expect(usageOfSpan(spans[0])).toEqual(usageOfTruth(truths[0]));
    expect(chunks.length).toBe(7);
    expect(chunks.at(-1)?.usage).toMatchObject({ prompt_tokens: truths[0]?.input });
  });

  it("tool calls are named and their arguments hashed alike, plain and streamed", async () => {
    const { spans } = await harness.during(async () => {
      await openai.chat.completions.create({ model: "gpt-4o", messages: ask("scenario=tools") });
      const stream = await openai.chat.completions.create({
        model: "gpt-4o",
        messages: ask("scenario=tools"),
        stream: true,
      });
      for await (const _ of stream);
    });
    expect(spans.map((span) => span.attributes["gen_ai.tool.name"])).toEqual(["get_weather", "get_weather"]);
    expect(spans[0]?.attributes["burnwatch.tool.args_hash"]).toMatch(/^[0-9a-f]{32}$/);
    expect(spans[0]?.attributes["burnwatch.tool.args_hash"]).toBe(spans[1]?.attributes["burnwatch.tool.args_hash"]);
  });

  it("an error keeps its type and message, and each retry is an attempt of its own", async () => {
    let error: unknown;
    const { spans } = await harness.during(async () => {
      await openai.chat.completions.create({ model: "gpt-4o", messages: ask("scenario=error429") }).catch((caught) => {
        error = caught;
      });
    });
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(spans.map((span) => span.attributes["burnwatch.request.attempt"])).toEqual([1, 2]);
    expect(spans.every((span) => span.failed && span.attributes["error.type"] === "429")).toBe(true);
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
    expect(spans[0]?.attributes["burnwatch.stream.output_chunks"]).toBe(2);
    expect(spans[0]?.attributes["gen_ai.usage.output_tokens"]).toBeUndefined();
  });

  it("an AbortSignal before the answer ends the call as an abort", async () => {
    let error: unknown;
    const { spans } = await harness.during(async () => {
      await openai.chat.completions
        .create({ model: "gpt-4o", messages: ask("scenario=hang") }, { signal: AbortSignal.timeout(50) })
        .catch((caught) => {
          error = caught;
        });
    });
    expect(error).toBeInstanceOf(OpenAI.APIUserAbortError);
    expect(spans.length).toBe(1);
    expect(spans[0]?.failed).toBe(true);
  });

  it("a host that refuses stream_options is asked once without it, then never again", async () => {
    const other = new OpenAI({ apiKey: "k", baseURL: `${harness.provider.url.replace("127.0.0.1", "localhost")}/v1` });
    let count = 0;
    const run = async () => {
      const stream = await other.chat.completions.create({
        model: "llama",
        messages: ask("scenario=refuse"),
        stream: true,
      });
      for await (const _ of stream) count += 1;
    };
    const first = await harness.during(run);
    expect(first.truths.map((truth) => truth.status)).toEqual([422, 200]);
    expect(first.spans.length).toBe(1);
    expect(first.spans[0]?.failed).toBe(false);
    const second = await harness.during(run);
    expect(second.truths.map((truth) => truth.status)).toEqual([200]);
    expect(second.spans.length).toBe(1);
    expect(count).toBe(12);
  });
});

describe("Anthropic messages over fetch", () => {
  const message = (text: string) => ({ model: "claude-opus-4", max_tokens: 100, messages: ask(text) });

  it("input is the sum of uncached, read and written tokens, and writes are split by lifetime", async () => {
    const { spans, truths } = await harness.during(() => anthropic.messages.create(message("hello")));
    expect(spans.length).toBe(1);
    expect(usageOfSpan(spans[0])).toEqual(usageOfTruth(truths[0]));
    expect(spans[0]?.attributes).toMatchObject({
      "gen_ai.provider.name": "anthropic",
      "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": truths[0]?.cacheWrite5m,
      "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": truths[0]?.cacheWrite1h,
      "anthropic.response.service_tier": "standard",
      "gen_ai.response.finish_reasons": ["end_turn"],
    });
  });

  it("a stream, the stream helper and tools count the same", async () => {
    const { spans, truths } = await harness.during(async () => {
      for await (const _ of await anthropic.messages.create({ ...message("hello"), stream: true }));
      await anthropic.messages.stream(message("scenario=tools")).finalMessage();
    });
    expect(spans.map(usageOfSpan)).toEqual(truths.map(usageOfTruth));
    expect(spans[1]?.attributes["gen_ai.tool.name"]).toBe("get_weather");
  });

  it("an aborted stream knows its input exactly", async () => {
    const { spans, truths } = await harness.during(async () => {
      const stream = await anthropic.messages.create({ ...message("scenario=slow"), stream: true });
      for await (const event of stream) if (event.type === "content_block_start") break;
    });
    expect(spans[0]?.attributes["burnwatch.usage.partial"]).toBe(true);
    expect(spans[0]?.attributes["gen_ai.usage.input_tokens"]).toBe(truths[0]?.input);
  });
});

describe("the application's answer stays what it was", () => {
  const post = (fetcher: typeof fetch, body: object, path = "/v1/chat/completions") =>
    fetcher(`${harness.provider.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt-4o", messages: [], ...body }),
    });
  const sameBytes = (text: string) => text.replace(/chat-\d+/g, "chat-N").replace(/_tokens":\d+/g, '_tokens":N');
  const scenarios = ["", "tools", "broken", "bytes", "gzip", "truncated", "big"];

  for (const scenario of scenarios) {
    for (const stream of [true, false]) {
      it(`byte for byte: ${scenario || "plain"}, ${stream ? "streamed" : "whole"}`, async () => {
        const body = { user: `scenario=${scenario}`, stream };
        const bare = await (await post(harness.bareFetch, body)).text();
        const read = { body: "", text: "", buffer: "", clone: "" };
        const { spans } = await harness.during(async () => {
          const response = await post(fetch, body);
          const chunks: Uint8Array[] = [];
          for await (const chunk of response.body ?? []) chunks.push(chunk);
          read.body = Buffer.concat(chunks).toString("utf8");
          read.text = await (await post(fetch, body)).text();
          read.buffer = Buffer.from(await (await post(fetch, body)).arrayBuffer()).toString("utf8");
          read.clone = await (await post(fetch, body)).clone().text();
        });
        expect(spans.length).toBe(4);
        for (const text of Object.values(read)) expect(sameBytes(text) === sameBytes(bare)).toBe(true);
        const whole = scenario === "truncated" && !stream ? 0 : 4;
        expect(spans.filter((span) => span.attributes["gen_ai.usage.output_tokens"] !== undefined).length).toBe(whole);
      });
    }
  }

  it("the response is the platform's own: url, headers, type, instanceof", async () => {
    const response = await post(fetch, {});
    expect(response).toBeInstanceOf(Response);
    expect(response.url).toBe(`${harness.provider.url}/v1/chat/completions`);
    expect(response.headers.get("x-request-id")).toBe("req_1");
    expect(response.bodyUsed).toBe(false);
    await response.json();
    expect(response.bodyUsed).toBe(true);
    await expect(response.text()).rejects.toThrow(TypeError);
  });

  it("a broken answer throws what it threw before", async () => {
    const bare = await (await post(harness.bareFetch, { user: "scenario=truncated" })).json().catch(String);
    const own = await (await post(fetch, { user: "scenario=truncated" })).json().catch(String);
    expect(own).toBe(bare);
    const cut = { user: "scenario=cut" };
    const bareCut = await (await post(harness.bareFetch, cut)).text().catch(String);
    const { spans } = await harness.during(async () => {
      expect(await (await post(fetch, cut)).text().catch(String)).toBe(bareCut);
    });
    expect(spans[0]?.failed).toBe(true);
  });

  it("a dropped stream throws what it threw before, and the span is partial", async () => {
    const body = { user: "scenario=drop", stream: true };
    const bare = await (await post(harness.bareFetch, body)).text().catch(String);
    const { spans } = await harness.during(async () => {
      expect(await (await post(fetch, body)).text().catch(String)).toBe(bare);
    });
    expect(spans[0]?.attributes["burnwatch.usage.partial"]).toBe(true);
  });

  it("a Request object, bytes and a form are read without being consumed", async () => {
    const body = JSON.stringify({ model: "gpt-4o", messages: [], stream: true });
    const url = `${harness.provider.url}/v1/chat/completions`;
    const form = new FormData();
    form.set("model", "whisper-1");
    form.set("file", new Blob(["audio"]), "a.wav");
    const { spans, truths } = await harness.during(async () => {
      await (await fetch(new Request(url, { method: "POST", body }))).text();
      await (await fetch(url, { method: "POST", body: new TextEncoder().encode(body) })).text();
      await (await fetch(`${harness.provider.url}/v1/audio/transcriptions`, { method: "POST", body: form })).text();
    });
    expect(spans.map(usageOfSpan)).toEqual(truths.map(usageOfTruth));
    expect(spans[2]?.attributes["gen_ai.request.model"]).toBe("whisper-1");
  });

  it("a body that is a stream passes, and the span says what the answer says", async () => {
    const body = new Blob([JSON.stringify({ model: "gpt-4o", messages: [] })]).stream();
    const init = { method: "POST", body, duplex: "half" } as RequestInit;
    const { spans, truths } = await harness.during(async () => {
      await (await fetch(`${harness.provider.url}/v1/chat/completions`, init)).json();
    });
    expect(truths.length).toBe(1);
    expect(spans.length).toBe(1);
  });

  it("requests that are no calls of a model are not touched", async () => {
    const { spans } = await harness.during(async () => {
      await fetch(`${harness.provider.url}/v1/models`);
      await fetch(`${harness.provider.url}/v1/messages`, {
        method: "POST",
        body: JSON.stringify({ text: "a chat app" }),
      });
      await fetch(`${harness.provider.url}/v1/messages`, { method: "POST", body: "not json" });
    });
    expect(spans).toEqual([]);
  });
});
