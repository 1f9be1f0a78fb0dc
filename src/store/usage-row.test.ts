import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { formatUsd } from "../model/money.ts";
import { durationUs, type UsageRecord } from "../model/usage-record.ts";
import { bindParameters } from "./bind-parameters.ts";
import { openEmbeddedStore } from "./embedded.ts";
import { sampleRecords, seededRandom } from "./sample-records.ts";
import type { Store } from "./store.ts";
import { encodeUsageRows } from "./usage-row.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-usage-row-"));
const day = Date.UTC(2025, 10, 20);
let store: Store;
beforeAll(async () => {
  store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500 });
  await store.migrate();
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const samples = (count: number) => [...sampleRecords({ count, startMs: day, spanMs: 3_600_000 })];

it("equal batches give equal bytes", async () => {
  const records = samples(600);
  const bytes = await encodeUsageRows("log-1-600", records);
  expect(bytes.equals(await encodeUsageRows("log-1-600", structuredClone(records)))).toBe(true);
});

/** Texts and numbers at the edges of what the format treats differently. */
function oddRecord(record: UsageRecord, index: number, random: () => number): UsageRecord {
  const choose = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)] as Value;
  const piece = () => choose(["a", "\0", "\n", "'\"\\", "é", "漢", "🙂", "\ud800", "\udc00", "\u0080", "\u2028", "x1"]);
  const text = () =>
    piece().repeat(choose([0, 1, 1, 2, 3, 15, 16, 21, 31, 32, 42, 43, 63, 64, 65, 127, 128, 129, 6000]));
  const count = () =>
    choose([0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52, Number.MAX_SAFE_INTEGER]) *
      choose([1, 1, -1]) || 0;
  const texts = Object.fromEntries(
    Object.entries(record)
      .filter(
        ([name, value]) => typeof value === "string" && !["traceId", "spanId", "status", "promptHash"].includes(name),
      )
      .map(([name]) => [name, random() < 0.3 ? text() : ""]),
  );
  return {
    ...record,
    ...(texts as Partial<UsageRecord>),
    tenant: `odd-${index % 1000}`,
    promptHash: choose(["", "0000000000000001", "ffffffffffffffff", "8000000000000000", "0123456789abcdef"]),
    session: String(index).padStart(5, "0"),
    endUs: record.startUs + count(),
    usage: {
      input: count(),
      cacheRead: count(),
      cacheWrite5m: count(),
      cacheWrite1h: count(),
      output: count(),
      reasoning: count(),
    },
    modalities: choose([
      null,
      {
        audioInput: count(),
        audioCacheRead: count(),
        audioOutput: count(),
        imageInput: count(),
        imageCacheRead: count(),
        imageOutput: count(),
      },
    ]),
    images: count(),
    audioMs: count(),
    calls: choose([-1, 0, 1]),
    costCarry: choose([0, 1, 31]),
    repricings: choose([0, 1, 65_535]),
    costNanoUsd: choose([null, count()]),
    reportedNanoUsd: choose([null, count()]),
    revision: choose([0, 1, 255, 256, 65_535]),
    flags: random() < 0.1 ? Array.from({ length: choose([1, 2, 7]) }, text) : [],
  };
}

const usd = (nanoUsd: number | null) =>
  nanoUsd === null
    ? null
    : formatUsd(BigInt(nanoUsd))
        .replace(/(\.\d*?)0+$/, "$1")
        .replace(/\.$/, "");

/** A record as a SELECT shows it. */
function storedRow(record: UsageRecord, batch: string) {
  const ts = new Date(Math.floor(record.startUs / 1000)).toISOString().replace("T", " ").slice(0, -1);
  const { usage } = record;
  return {
    ts: ts + String(record.startUs % 1000).padStart(3, "0"),
    duration_us: String(durationUs(record)),
    trace_id: record.traceId,
    span_id: record.spanId,
    parent_span_id: record.parentSpanId.toWellFormed(),
    tenant: record.tenant,
    service: record.service.toWellFormed(),
    environment: record.environment.toWellFormed(),
    feature: record.feature.toWellFormed(),
    user: record.user.toWellFormed(),
    session: record.session,
    agent: record.agent.toWellFormed(),
    run: record.run.toWellFormed(),
    prompt_name: record.promptName.toWellFormed(),
    prompt_version: record.promptVersion.toWellFormed(),
    release: record.release.toWellFormed(),
    instance: record.instance.toWellFormed(),
    operation: record.operation.toWellFormed(),
    provider: record.provider.toWellFormed(),
    model: record.model.toWellFormed(),
    request_model: record.requestModel.toWellFormed(),
    response_id: record.responseId.toWellFormed(),
    finish_reason: record.finishReason.toWellFormed(),
    status: record.status,
    error_type: record.errorType.toWellFormed(),
    tool: record.tool.toWellFormed(),
    tool_args_hash: record.toolArgsHash.toWellFormed(),
    prompt_hash: BigInt(`0x${record.promptHash || "0"}`).toString(),
    outcome: record.outcome.toWellFormed(),
    input_uncached_tokens: String(usage.input),
    cache_read_tokens: String(usage.cacheRead),
    cache_write_5m_tokens: String(usage.cacheWrite5m),
    cache_write_1h_tokens: String(usage.cacheWrite1h),
    output_visible_tokens: String(usage.output),
    reasoning_tokens: String(usage.reasoning),
    calls: record.calls,
    unpriced_calls: record.costNanoUsd === null ? record.calls : 0,
    cost_usd: usd(record.costNanoUsd),
    cost_status: record.costStatus.toWellFormed(),
    cost_reported_usd: usd(record.reportedNanoUsd),
    revision: record.revision,
    flags: record.flags.map((flag) => flag.toWellFormed()),
    batch,
    images: String(record.images),
    audio_ms: String(record.audioMs),
    service_tier: record.serviceTier.toWellFormed(),
    price_tag: record.priceTag.toWellFormed(),
    cost_carry: record.costCarry,
    repricings: record.repricings,
    audio_input_tokens: String(record.modalities?.audioInput ?? 0),
    audio_cache_read_tokens: String(record.modalities?.audioCacheRead ?? 0),
    audio_output_tokens: String(record.modalities?.audioOutput ?? 0),
    image_input_tokens: String(record.modalities?.imageInput ?? 0),
    image_cache_read_tokens: String(record.modalities?.imageCacheRead ?? 0),
    image_output_tokens: String(record.modalities?.imageOutput ?? 0),
  };
}

it("10,000 records of odd values come back as they were", async () => {
  const random = seededRandom(7);
  const records = samples(10_000).map((record, index) => oddRecord(record, index, random));
  await store.insert({ token: "odd-1", records });
  const rows = await store.query("SELECT * FROM usage_records WHERE batch = 'odd-1' ORDER BY session");
  expect(rows).toHaveLength(records.length);
  // One by one: a difference of whole arrays of this size takes minutes to print.
  for (const [index, record] of records.entries()) expect(rows[index]).toEqual(storedRow(record, "odd-1"));
}, 60_000);

it("dictionaries of more than 256 and more than 65,536 texts keep each row's own", async () => {
  const records = samples(70_000).map((record, index) => ({
    ...record,
    tenant: `wide-${index}`,
    session: `wide-${index}`,
    agent: `agent-${index % 300}`,
    run: `agent-${index % 300}`,
    flags: [`flag-${index % 257}`],
    user: `flag-${index % 257}`,
  }));
  await store.insert({ token: "wide-1", records });
  const wrong = "countIf(tenant != session OR agent != run OR flags != [user])";
  const [row] = await store.query(
    `SELECT uniqExact(tenant) AS tenants, ${wrong} AS wrong FROM usage_records WHERE batch = 'wide-1'`,
  );
  expect(row).toEqual({ tenants: "70000", wrong: "0" });
}, 60_000);

it("a value that its column cannot hold is refused, not bent", async () => {
  const [record] = samples(1);
  if (record === undefined) throw new Error("no sample record");
  const refused = (over: Partial<UsageRecord>) => expect(encodeUsageRows("t", [{ ...record, ...over }])).rejects;
  for (const costNanoUsd of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e18, -1e18])
    await refused({ costNanoUsd }).toThrow(`${costNanoUsd} is not a whole number of at most 18 digits`);
  await refused({ traceId: "a".repeat(33) }).toThrow("has more than 32 bytes");
  await refused({ spanId: "é".repeat(9) }).toThrow("has more than 16 bytes");
  await refused({ revision: 65_536 }).toThrow(/range/);
});

it("inserts leave no files behind", async () => {
  const ours = () => readdirSync(directory).filter((name) => name.startsWith("insert-"));
  await Promise.all([1, 2, 3].map((seed) => store.insert({ token: `files-${seed}`, records: samples(100) })));
  expect(ours()).toEqual([]);
});

it("parameters become literals of their type, and quoted braces stay", () => {
  expect(bindParameters("SELECT {a:String}, '{a:String}', `{a:String}`", { a: "it's \\ {a:String}" })).toBe(
    "SELECT CAST('it\\'s \\\\ {a:String}' AS String), '{a:String}', `{a:String}`",
  );
  expect(bindParameters("{n:UInt64} {l:Array(Date)}", { n: 5, l: ["2025-01-01"] })).toBe(
    "CAST('5' AS UInt64) CAST(['2025-01-01'] AS Array(Date))",
  );
  expect(() => bindParameters("{constructor:String}", {})).toThrow('query parameter "constructor" has no value');
});
