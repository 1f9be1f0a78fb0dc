/** Sound and pictures over the real server: their own rates, an exact split, a re-pricing, and the records read back. */

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { storedUsage } from "../src/console/stored-usage.ts";
import { type Burnwatch, burnwatch, settle, sql, startBurnwatch } from "./support/burnwatch.ts";

let server: Burnwatch;
beforeAll(async () => {
  server = await startBurnwatch();
  const nanos = `${Date.now() - 60_000}000000`;
  const counts = {
    "gen_ai.usage.input_tokens": 1500,
    "gen_ai.usage.output_tokens": 300,
    "gen_ai.usage.cache_read.input_tokens": 500,
    "gen_ai.usage.audio.input_tokens": 700,
    "gen_ai.usage.image.input_tokens": 500,
    "gen_ai.usage.image.cache_read.input_tokens": 300,
    "gen_ai.usage.audio.output_tokens": 250,
  };
  const names = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-realtime",
    "gen_ai.response.model": "gpt-realtime",
    "burnwatch.tenant": "voice",
  };
  const span = {
    traceId: randomBytes(16).toString("hex"),
    spanId: randomBytes(8).toString("hex"),
    name: "chat gpt-realtime",
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes: [
      ...Object.entries(names).map(([key, stringValue]) => ({ key, value: { stringValue } })),
      ...Object.entries(counts).map(([key, count]) => ({ key, value: { intValue: String(count) } })),
    ],
  };
  const resource = { attributes: [{ key: "service.instance.id", value: { stringValue: "pod-7" } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] });
  const headers = { "content-type": "application/json" };
  expect((await fetch(server.tracesUrl, { method: "POST", headers, body })).status).toBe(200);
  await settle(server.apiUrl);
});
afterAll(() => server.remove());

// Of gpt-realtime's 1,500 input tokens 500 are cached, 300 of them pictures. Uncached: 700 sound, 200 pictures, 100 text.
// At text rates: 1,000 x $4 + 500 cached x $0.40 + 300 output x $16 a million = 4 + 0.2 + 4.8 milli-dollars.
// Beyond text: 700 x $28 + 200 x $1 + 300 cached x $0.10 + 250 x $48 a million = 19.6 + 0.2 + 0.03 + 12 milli-dollars.
const split = {
  cost_input_usd: "0.004000000",
  cost_cache_read_usd: "0.000200000",
  cost_cache_write_usd: "0.000000000",
  cost_output_usd: "0.004800000",
  cost_reasoning_usd: "0.000000000",
  cost_other_usd: "0.031830000",
};

it("bills them at their own rates and splits the cost exactly, in the API and the console", async () => {
  const answer = await fetch(`${server.apiUrl}/api/v1/cost?by=tenant`);
  const { rows } = (await answer.json()) as { rows: object[] };
  expect(rows).toMatchObject([{ tenant: "voice", input_tokens: 1500, cost_usd: "0.040830000", ...split }]);
  const { stdout } = await burnwatch(["cost", "--by", "tenant", "--split"], { BURNWATCH_URL: server.apiUrl });
  expect(stdout).toMatch(/voice +1 +\$0\.04083 +\$0\.004000 +\$0\.0002000 +\$0 +\$0\.004800 +\$0 +\$0\.03183/);
  const [stored] = await sql(
    server.apiUrl,
    "SELECT audio_input_tokens, audio_output_tokens, image_input_tokens, image_cache_read_tokens, instance, flags FROM usage",
  );
  expect(stored).toEqual({
    audio_input_tokens: 700,
    audio_output_tokens: 250,
    image_input_tokens: 200,
    image_cache_read_tokens: 300,
    instance: "pod-7",
    flags: [],
  });
});

it("reads the record back as it was", async () => {
  const io = { env: {}, signal: new AbortController().signal } as Parameters<typeof storedUsage>[0]["io"];
  const records = await storedUsage({ api: server.apiUrl, since: "1h", io });
  expect(records).toMatchObject([
    {
      tenant: "voice",
      instance: "pod-7",
      usage: { input: 1000, cacheRead: 500, output: 300 },
      modalities: { audioInput: 700, audioOutput: 250, imageInput: 200, imageCacheRead: 300 },
      costNanoUsd: 40_830_000,
      calls: 1,
    },
  ]);
});

it("re-prices them from what is stored", async () => {
  const rates = "input: 1, cache_read: 1, output: 1, audio_input: 2, audio_output: 3, image_input: 5";
  writeFileSync(
    join(server.directory, "prices.yaml"),
    `prices:\n  - { model: gpt-realtime, per_million: { ${rates} } }\n`,
  );
  const { code, stderr } = await burnwatch(["reprice", "--since", "1d", "--yes"], { BURNWATCH_URL: server.apiUrl });
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  await settle(server.apiUrl);
  // 100 text + 700 x 2 + 200 x 5 + 500 cached, pictures among them like text + 50 text + 250 x 3.
  const [row] = await sql(
    server.apiUrl,
    "SELECT toString(sum(cost_usd)) AS usd, toString(sum(cost_input_usd)) AS input FROM usage",
  );
  expect(row).toEqual({ usd: "0.0038", input: "0.001" });
});
