/** What the API of a cluster answers as one machine does, over a real broker and ClickHouse, through hand-overs. */

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Quality } from "../src/http/quality.ts";
import { decodeUsageEntry } from "../src/ingest/usage-codec.ts";
import type { EnergyReading } from "../src/model/energy-reading.ts";
import { type Burnwatch, burnwatch, settle } from "./support/burnwatch.ts";
import { startCluster, type TestCluster } from "./support/cluster.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

const missing = await kafkaMissing();
const partitions = 3;

describe.skipIf(missing !== undefined)("the API of a cluster over a real broker", () => {
  let directory: string;
  let cluster: TestCluster;
  let first: Burnwatch;
  let second: Burnwatch;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "burnwatch-test-"));
    setPrices(1);
    cluster = await startCluster({ partitions });
    const prices = { BURNWATCH_PRICES: join(directory, "prices.yaml") };
    first = await cluster.start("collector,resolver,writer,detector,alerter,api", prices);
    second = await cluster.start("collector,resolver,writer,api", prices);
  }, 120_000);
  afterAll(async () => {
    await cluster?.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  /** So many times what gpt-4o costs on the bundled list. */
  const setPrices = (factor: number) =>
    writeFileSync(
      join(directory, "prices.yaml"),
      `prices:\n  - { model: gpt-4o, provider: openai, per_million: { input: ${2.5 * factor}, output: ${10 * factor} } }\n`,
    );

  it("stores metrics through any collector once, tells what totals grew by, and hands joules to the detectors", {
    timeout: 60_000,
  }, async () => {
    const startMs = Date.now() - 300_000;
    const instances = ["gpu-1", "gpu-2", "gpu-3", "gpu-4"];
    const send = async (to: Burnwatch, minute: number) => {
      const totals = { joules: 24_000 * minute, tokens: 1000 * minute * minute };
      const body = JSON.stringify(gpuMetrics(instances, { startMs, atMs: startMs + minute * 60_000, ...totals }));
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${to.otlpUrl}/v1/metrics`, { method: "POST", headers, body });
      expect([answer.status, await answer.json()]).toEqual([200, {}]);
    };
    // Each total by another collector than the one before, the second one twice.
    for (const [to, minute] of [
      [first, 0],
      [second, 1],
      [first, 2],
      [second, 2],
    ] as const) {
      await send(to, minute);
      await settle(first.apiUrl);
    }
    const grown = () =>
      cluster.store.query<Record<string, string>>(
        "SELECT instance, name, toString(sum(sum)) AS grown FROM resource_metrics WHERE kind = 'cumulative' GROUP BY instance, name ORDER BY instance, name",
      );
    const expected = (minutes: number) =>
      instances.flatMap((instance) => [
        { instance, name: "hw.energy", grown: String(24_000 * minutes) },
        { instance, name: "vllm:generation_tokens_total", grown: String(1000 * minutes * minutes) },
      ]);
    expect(await grown()).toEqual(expected(2));
    const { usage, deltas } = cluster.topics;
    for (const [topic, partition] of [
      [usage, 0],
      [usage, 2],
      [deltas, 0],
    ] as const) {
      const joules = new Map<string, number>();
      for (const reading of await readingsIn(cluster, topic, partition))
        joules.set(reading.instance, (joules.get(reading.instance) ?? 0) + reading.joules);
      expect(new Map([...joules].sort())).toEqual(new Map(instances.map((instance) => [instance, 48_000])));
    }
    // Whoever takes an instance over knows its totals from the tables.
    expect(await second.stop()).toBe(0);
    await send(first, 4);
    await settle(first.apiUrl);
    expect(await grown()).toEqual(expected(4));
    await second.start();
    const refused = await fetch(`${first.otlpUrl}/v1/metrics`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(gpuMetrics(["gpu-1"], { startMs: 0, atMs: 1000, joules: 1, tokens: 1 })),
    });
    expect(await refused.json()).toMatchObject({
      partialSuccess: { rejectedDataPoints: "2", errorMessage: expect.stringContaining("is before the 90 days") },
    });
  });

  it("re-prices the past once, by whoever resolves a trace, through a kill and beside calls that come meanwhile", {
    timeout: 120_000,
  }, async () => {
    let [listed, calls] = [0, 0];
    const send = async (count: number, atMs: number) => {
      const { body, sent } = exportRequest(count, atMs, "repriced");
      await postUntilAcked(first.tracesUrl, body);
      calls += count;
      listed += sent.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0);
    };
    for (let hour = 0; hour < 6; hour++) await send(500, Date.now() - hour * 3_600_000);
    await settle(first.apiUrl);
    const [before, count] = [listed, calls];
    const api = { BURNWATCH_URL: first.apiUrl, USER: "ada" };
    const range = ["--since", "1d", "--where", "tenant=repriced"];
    const same = await burnwatch(["reprice", ...range, "--dry-run"], api);
    expect(same.stdout).toContain("nothing differs");
    const stale = await post(first, "reprices", { since: "1d", price_version: "of yesterday" });
    expect([stale.status, stale.text]).toEqual([409, expect.stringContaining("the prices have changed since")]);

    setPrices(2);
    const dry = await burnwatch(["reprice", ...range, "--dry-run", "--json"], api);
    const { rows, price_version } = JSON.parse(dry.stdout);
    expect(rows).toMatchObject([{ tenant: "repriced", model: "gpt-4o", calls, cost_after_usd: usd(2 * before) }]);
    const where = { tenant: "repriced" };
    const asked = await post(first, "reprices", { since: "1d", where, price_version, by: "ada" });
    expect([asked.status, asked.text]).toEqual([200, expect.stringContaining('"finished":')]);
    await second.kill();
    const { id } = JSON.parse(asked.text);
    await send(100, Date.now());
    await second.start();
    await expect
      .poll(async () => (await fetch(`${second.apiUrl}/api/v1/reprices/${id}`)).text(), {
        timeout: 60_000,
        interval: 500,
      })
      .toContain('"finished":true');
    await settle(first.apiUrl);
    expect(await burnwatch(["reprice", ...range, "--dry-run"], api)).toMatchObject({
      stdout: expect.stringContaining("nothing differs"),
    });
    const sums = "toString(toInt64(sum(cost_usd) * 1000000000)) AS nano_usd, toString(sum(calls)) AS calls";
    for (const view of ["usage", "usage_by_15m", "usage_by_day"])
      expect(await cluster.store.query(`SELECT ${sums} FROM ${view} WHERE tenant = 'repriced'`), view).toEqual([
        { nano_usd: String(2 * listed), calls: String(calls) },
      ]);
    expect(
      await cluster.store.query(
        "SELECT id, by, toString(calls) AS calls, toString(toInt64(cost_before_usd * 1000000000)) AS before, toString(toInt64(cost_after_usd * 1000000000)) AS after FROM reprices FINAL",
      ),
    ).toEqual([{ id, by: "ada", calls: String(count), before: String(before), after: String(2 * before) }]);
  });

  it("accounts for what producers numbered, over resolvers that each see some of it, and after a hand-over", {
    timeout: 60_000,
  }, async () => {
    const accounted = async ({ apiUrl }: Burnwatch) => {
      await settle(apiUrl);
      const told = ["cost", "alerts"].map(
        async (path) => (await (await fetch(`${apiUrl}/api/v1/${path}`)).json()) as Quality,
      );
      return (await Promise.all(told)).map(({ completeness, lag_seconds }) => ({ completeness, lag_seconds }));
    };
    const expectAccounted = async (server: Burnwatch, completeness: number | null) => {
      const told = { completeness, lag_seconds: 0 };
      expect(await accounted(server)).toEqual([told, told]);
    };
    await expectAccounted(first, null);
    const [one, other] = [randomBytes(8).toString("hex"), randomBytes(8).toString("hex")];
    // Of the first 199 of 200 arrive, twice; of the second 150, and its final mark says that there were 200.
    await postUntilAcked(first.tracesUrl, numbered(one, range(1, 120)));
    await postUntilAcked(first.tracesUrl, numbered(one, [...range(100, 120), ...range(122, 200)]));
    await postUntilAcked(first.tracesUrl, numbered(other, range(1, 150), 200));
    await expectAccounted(first, 349 / 400);
    await expectAccounted(second, 349 / 400);
    // Whoever had the accounts and some of the partitions is gone.
    await second.kill();
    await postUntilAcked(first.tracesUrl, numbered(one, [1, 121]));
    await postUntilAcked(first.tracesUrl, numbered(other, range(140, 190)));
    await second.start();
    await expectAccounted(first, 390 / 400);
    const shown = await burnwatch(["cost"], { BURNWATCH_URL: second.apiUrl });
    expect(shown.stdout).toContain("97.5 % accounted");
  });
});

async function post({ apiUrl }: Burnwatch, path: string, body: object) {
  const answer = await fetch(`${apiUrl}/api/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, text: await answer.text() };
}

/** Nano-dollars as the API shows them. */
function usd(nanoUsd: number): string {
  return `${Math.floor(nanoUsd / 1e9)}.${String(nanoUsd % 1e9).padStart(9, "0")}`;
}

interface Totals {
  readonly startMs: number;
  readonly atMs: number;
  readonly joules: number;
  readonly tokens: number;
}

/** An OTLP/JSON request with the totals of each instance's GPU and model server. */
function gpuMetrics(instances: readonly string[], { startMs, atMs, joules, tokens }: Totals) {
  const nanos = (ms: number) => `${ms}000000`;
  const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
  const total = (name: string, unit: string, asDouble: number, attributes: readonly unknown[]) => ({
    name,
    unit,
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [{ startTimeUnixNano: nanos(startMs), timeUnixNano: nanos(atMs), asDouble, attributes }],
    },
  });
  return {
    resourceMetrics: instances.map((instance) => ({
      resource: { attributes: [text("service.name", "vllm"), text("service.instance.id", instance)] },
      scopeMetrics: [
        {
          scope: { name: "gpus" },
          metrics: [
            total("hw.energy", "J", joules, [text("hw.id", "gpu-0"), text("hw.type", "gpu")]),
            total("vllm:generation_tokens_total", "1", tokens, [text("model_name", "llama")]),
          ],
        },
      ],
    })),
  };
}

async function readingsIn({ client }: TestCluster, topic: string, partition: number) {
  const end = (await client.endOffsets(topic)).get(partition) ?? 0;
  const reader = await client.reader(topic, partition);
  const found: EnergyReading[] = [];
  for (let offset = 0; offset < end; ) {
    const { records, nextOffset } = await reader.fetch({ offset, bytesMax: 8 * 1024 * 1024, waitMs: 200 });
    for (const { value } of records) found.push(...(decodeUsageEntry(value).readings ?? []));
    if (nextOffset === offset) break;
    offset = nextOffset;
  }
  await reader.close();
  return found;
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** Calls of a producer with their numbers, and its final mark where it has one. */
function numbered(producer: string, sequences: readonly number[], final?: number): string {
  const request = JSON.parse(exportRequest(sequences.length, Date.now()).body);
  const [{ resource, scopeSpans }] = request.resourceSpans;
  resource.attributes.push({ key: "service.instance.id", value: { stringValue: producer } });
  const [{ spans }] = scopeSpans;
  for (const [index, sequence] of sequences.entries())
    spans[index].attributes.push({ key: "burnwatch.record.sequence", value: { intValue: String(sequence) } });
  if (final !== undefined) {
    const mark = { key: "burnwatch.record.final_sequence", value: { intValue: String(final) } };
    const ids = { traceId: randomBytes(16).toString("hex"), spanId: randomBytes(8).toString("hex") };
    spans.push({ ...spans[0], ...ids, name: "burnwatch.final_mark", attributes: [mark] });
  }
  return JSON.stringify(request);
}
