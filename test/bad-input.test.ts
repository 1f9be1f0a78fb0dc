/** Bad input at every door: a clear answer, and nothing that was accepted is harmed. */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Burnwatch, burnwatch, settle, sql, startBurnwatch } from "./support/burnwatch.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

let server: Burnwatch;
beforeAll(async () => {
  server = await startBurnwatch();
  await postUntilAcked(server.tracesUrl, exportRequest(10, Date.now()).body);
});
afterAll(() => server.remove());

function post(body: Uint8Array | string, headers: Record<string, string>): Promise<Response> {
  return fetch(server.tracesUrl, { method: "POST", body: new Uint8Array(Buffer.from(body)), headers });
}

async function storedCalls(): Promise<number> {
  await settle(server.apiUrl);
  const [row] = await sql(server.apiUrl, "SELECT sum(calls) AS calls FROM usage WHERE tenant = 'load'");
  return Number(row?.["calls"]);
}

const protobuf = { "content-type": "application/x-protobuf" };
const json = { "content-type": "application/json" };

it("answers random bytes, truncation, bombs and wrong types by the letter of OTLP, and keeps what it had", async () => {
  for (let size = 1; size < 4000; size += 131) {
    const answer = await post(Buffer.concat([Buffer.from([0x0a, 0xff]), randomBytes(size)]), protobuf);
    expect([200, 400]).toContain(answer.status);
    await answer.arrayBuffer();
  }
  const expectations: [number, Uint8Array | string, Record<string, string>][] = [
    [400, "{", json],
    [400, '{"resourceSpans": 5}', json],
    [413, gzipSync(Buffer.alloc(200 * 1024 * 1024)), { ...protobuf, "content-encoding": "gzip" }],
    [400, "no gzip", { ...protobuf, "content-encoding": "gzip" }],
    [415, "x", { "content-type": "text/plain" }],
    [415, "x", { ...protobuf, "content-encoding": "br" }],
    [413, Buffer.alloc(17 * 1024 * 1024), protobuf],
  ];
  for (const [status, body, headers] of expectations) {
    const answer = await post(body, headers);
    expect([status, answer.status]).toEqual([status, status]);
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(0);
  }
  expect(await storedCalls()).toBe(10);
});

function chat(overrides: Record<string, unknown>, attributes: Record<string, string> = {}): string {
  const span = {
    traceId: randomBytes(16).toString("hex"),
    spanId: randomBytes(8).toString("hex"),
    name: "chat",
    startTimeUnixNano: `${Date.now()}000000`,
    endTimeUnixNano: `${Date.now()}000000`,
    attributes: Object.entries({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.usage.input_tokens": "10",
      "burnwatch.tenant": "odd",
      ...attributes,
    }).map(([key, value]) => ({ key, value: { stringValue: value } })),
    ...overrides,
  };
  return JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
}

const nanos = (at: string) => `${Date.parse(at)}000000`;

it("rejects a span of 1970 with the reason, flags missing and future times, and counts other spans", async () => {
  const old = await post(
    chat({ startTimeUnixNano: nanos("1970-02-01T00:00:00Z"), endTimeUnixNano: nanos("1970-02-01T00:00:00Z") }),
    json,
  );
  const partial = (await old.json()) as { partialSuccess: { rejectedSpans: string; errorMessage: string } };
  expect([old.status, Number(partial.partialSuccess.rejectedSpans)]).toEqual([200, 1]);
  expect(partial.partialSuccess.errorMessage).toContain("1970-02-01T00:00:00.000Z");
  expect(partial.partialSuccess.errorMessage).toContain("check the producer's clock");

  for (const times of [
    { startTimeUnixNano: "0", endTimeUnixNano: "0" },
    { startTimeUnixNano: nanos("2200-01-01T00:00:00Z"), endTimeUnixNano: nanos("2200-01-01T00:00:01Z") },
  ]) {
    expect((await post(chat(times), json)).status).toBe(200);
  }
  const other = JSON.stringify({
    resourceSpans: [
      {
        scopeSpans: [
          {
            spans: [
              {
                traceId: "ab".repeat(16),
                spanId: "cd".repeat(8),
                name: "GET /",
                startTimeUnixNano: "1",
                endTimeUnixNano: "2",
              },
            ],
          },
        ],
      },
    ],
  });
  expect((await post(other, json)).status).toBe(200);
  await settle(server.apiUrl);
  const rows = await sql(
    server.apiUrl,
    "SELECT flags, abs(dateDiff('second', ts, now())) < 60 AS recent FROM usage WHERE tenant = 'odd' ORDER BY flags",
  );
  expect(rows).toEqual([
    { flags: ["time_clamped"], recent: 1 },
    { flags: ["time_missing"], recent: 1 },
  ]);
  const metrics = await (await fetch(`${server.apiUrl}/metrics`)).text();
  expect(metrics).toMatch(/^burnwatch_spans_other_total 1$/m);
});

/** Each with what is wrong with it, beside a sound one: the answer names them, and the sound one is stored. */
const hostileSpans: readonly [string, Record<string, unknown>, "rejected" | "kept"][] = [
  [
    "10,000 attributes",
    { attributes: Array.from({ length: 10_000 }, (_, i) => ({ key: `k${i}`, value: { intValue: "1" } })) },
    "rejected",
  ],
  ["a trace id of zeros", { traceId: "0".repeat(32) }, "rejected"],
  ["a span id of zeros", { spanId: "0".repeat(16) }, "rejected"],
  ["a trace id of letters", { traceId: "z".repeat(32) }, "rejected"],
  ["a time beyond what 64 bits of nanoseconds say", { startTimeUnixNano: "9".repeat(20) }, "rejected"],
  ["an array 30 levels deep", { attributes: [{ key: "gen_ai.tool.name", value: deepArray(30) }] }, "rejected"],
  ["a name of a megabyte", { name: "x".repeat(1024 * 1024) }, "kept"],
  ["itself as a parent", { spanId: "ab".repeat(8), parentSpanId: "ab".repeat(8) }, "kept"],
];

function deepArray(depth: number): object {
  return depth === 0 ? { stringValue: "x" } : { arrayValue: { values: [deepArray(depth - 1)] } };
}

it.each(hostileSpans)("answers a span with %s, and stores the sound one beside it", async (what, own, answer) => {
  const tenant = `hostile ${what}`;
  const spansOf = (body: string) =>
    (JSON.parse(body) as { resourceSpans: [{ scopeSpans: [{ spans: [Record<string, unknown>] }] }] }).resourceSpans[0]
      .scopeSpans[0].spans;
  const attributes = { "burnwatch.tenant": tenant };
  const [sound] = spansOf(chat({}, attributes));
  const [hostile] = spansOf(chat({}, attributes));
  const spans = [{ ...hostile, ...own, ...mergedAttributes(hostile, own) }, sound];
  const sent = await post(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), json);
  const { partialSuccess = {} } = (await sent.json()) as {
    partialSuccess?: { rejectedSpans?: string | number; errorMessage?: string };
  };
  const rejected = answer === "rejected" ? 1 : 0;
  expect([sent.status, Number(partialSuccess.rejectedSpans ?? 0)]).toEqual([200, rejected]);
  expect((partialSuccess.errorMessage ?? "").length > 0).toBe(answer === "rejected");
  await settle(server.apiUrl);
  const rows = await sql(server.apiUrl, `SELECT sum(calls) AS calls FROM usage WHERE tenant = '${tenant}'`);
  expect(Number(rows[0]?.["calls"])).toBe(2 - rejected);
});

function mergedAttributes(span: Record<string, unknown>, own: Record<string, unknown>): Record<string, unknown> {
  if (own["attributes"] === undefined) return {};
  return { attributes: [...(span["attributes"] as object[]), ...(own["attributes"] as object[])] };
}

it.each([
  ["spans that are no list", { spans: "x" }, 400, /spans/],
  ["a span that is a text", { spans: ["span"] }, 200, /span: expected an object, got string/],
  [
    "attributes that are no list",
    { spans: [{ traceId: "ab".repeat(16), spanId: "ab".repeat(8), attributes: 5 }] },
    200,
    /^span 0: attributes: expected an array, got number/,
  ],
  ["ids that are numbers", { spans: [{ traceId: 5, spanId: 6 }] }, 200, /^span 0: traceId: expected a hex string/],
])("answers %s", async (_, scopeSpans, status, message) => {
  const sent = await post(JSON.stringify({ resourceSpans: [{ scopeSpans: [scopeSpans] }] }), json);
  const answer = (await sent.json()) as { message?: string; partialSuccess?: { errorMessage?: string } };
  expect(sent.status).toBe(status);
  expect(answer.message ?? answer.partialSuccess?.errorMessage ?? "").toMatch(message);
});

it("costs null, not 0, for an unknown model, and lists it", async () => {
  await post(chat({}, { "gen_ai.request.model": "nonesuch-9", "burnwatch.tenant": "unknown" }), json);
  await settle(server.apiUrl);
  const { stdout } = await burnwatch(["cost", "--by", "model", "--where", "tenant=unknown", "--json"], {
    BURNWATCH_URL: server.apiUrl,
  });
  const answer = JSON.parse(stdout) as { rows: unknown[]; unpriced_share: number };
  expect(answer.rows).toMatchObject([
    { model: "nonesuch-9", calls: 1, input_tokens: 10, cost_usd: null, unpriced_calls: 1 },
  ]);
  expect(answer.unpriced_share).toBe(1);
});

it("stores no prompt and no completion, wherever they were put", { timeout: 90_000 }, async () => {
  const canary = `canary-${randomBytes(8).toString("hex")}`;
  await post(
    chat(
      { name: "chat", status: { code: 2, message: canary }, events: [{ name: canary, attributes: [] }] },
      {
        "gen_ai.input.messages": canary,
        "gen_ai.prompt.0.content": canary,
        "gen_ai.tool.call.arguments": canary,
        "gen_ai.usage.prompt": canary,
        "gen_ai.usage.raw": `{"prompt": "${canary}", "${canary}": 1`,
        "langfuse.observation.usage_details": `{"input": 1, "prompt": "${canary}", "${canary}": 1}`,
        "ai.response.providerMetadata": `{"openai": {"logprobs": ["${canary}"]}}`,
        "http.request.header.authorization": canary,
        "burnwatch.tenant": "canary",
      },
    ),
    json,
  );
  const stored = () => sql(server.apiUrl, "SELECT * FROM usage_records WHERE tenant = 'canary'");
  // Langfuse's spans may wrap a call: they are billed once their trace was quiet for 30 s.
  await expect.poll(stored, { timeout: 60_000, interval: 1000 }).toHaveLength(1);
  const rows = await stored();
  expect(JSON.stringify(rows)).not.toContain(canary);
  expect(server.output()).not.toContain(canary);
  const found = spawn("grep", ["-rl", canary, server.directory]);
  let files = "";
  found.stdout.on("data", (data) => (files += String(data)));
  await new Promise((done) => found.once("close", done));
  expect(files).toBe("");
});

it("refuses a second server on the same directory, and a port in use, in one clear line each", async () => {
  const second = await burnwatch(["serve", "--data", server.directory], {
    BURNWATCH_API: "127.0.0.1:0",
    BURNWATCH_OTLP_HTTP: "127.0.0.1:0",
    BURNWATCH_OTLP_GRPC: "127.0.0.1:0",
  });
  expect(second.code).toBe(1);
  expect(second.stderr.trim().split("\n")).toHaveLength(1);
  expect(second.stderr).toContain("another Burnwatch is running on");
  const port = new URL(server.apiUrl).port;
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-port-"));
  const taken = await burnwatch(["serve", "--data", directory], {
    BURNWATCH_API: `127.0.0.1:${port}`,
    BURNWATCH_OTLP_HTTP: "off",
    BURNWATCH_OTLP_GRPC: "off",
  });
  expect(taken.code).toBe(1);
  expect(taken.stderr).toContain(
    `127.0.0.1:${port} is in use by another process: choose another with api in the config`,
  );
});

it("refuses to begin on a disk that is nearly full in one clear line", async () => {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-full-"));
  const { code, stderr } = await burnwatch(["serve", "--data", directory], {
    BURNWATCH_DISK_FREE_BYTES_MIN: "900000000000000",
  });
  expect(code).toBe(1);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toMatch(/cannot begin in .*: not enough space .* MB free, 900000000\.0 MB needed .*; free some, or/);
});

it("refuses a broken configuration with path, expectation and nearest name", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "burnwatch-config-")), "burnwatch.yaml");
  writeFileSync(file, "store:\n  raw_retention_day: 3\n");
  const { code, stderr } = await burnwatch(["serve", "--config", file]);
  expect(code).toBe(2);
  expect(stderr).toContain("store.raw_retention_day: unknown key, did you mean store.raw_retention_days?");
});

it("refuses unknown columns and broken rows of a CSV with row and reason, and skips them when told", async () => {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-csv-"));
  const unknown = join(directory, "unknown.csv");
  writeFileSync(unknown, "timestamp,modle,input_tokens\n2026-01-01T00:00:00Z,gpt-4o,1\n");
  const broken = join(directory, "broken.csv");
  writeFileSync(
    broken,
    "timestamp,provider,model,input_tokens\n2026-01-01T00:00:00Z,openai,gpt-4o,1\n2026-01-01T00:00:01Z,openai,gpt-4o,many\n",
  );
  const to = ["--format", "usage", "--api", server.apiUrl, "--endpoint", server.tracesUrl];
  const first = await burnwatch(["replay", unknown, ...to]);
  expect(first.code).not.toBe(0);
  expect(first.stderr).toMatch(/modle.*model/s);
  const second = await burnwatch(["replay", broken, ...to]);
  expect(second.code).not.toBe(0);
  expect(second.stderr).toMatch(/row 2 \(line 3\): input_tokens: .*--skip-bad/s);
  const third = await burnwatch(["replay", broken, "--skip-bad", "--json", ...to]);
  expect(third.code).toBe(0);
  expect(JSON.parse(third.stdout)).toMatchObject({ sent: 1, accepted: 1 });
});
