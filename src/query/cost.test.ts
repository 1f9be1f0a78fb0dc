/** Attribution: rollups and records give the same answer, and both give what the records themselves sum to. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatUsd, parseUsd } from "../model/money.ts";
import { priceTag } from "../model/price-tag.ts";
import { totalInput, totalOutput } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { openEmbeddedStore } from "../store/embedded.ts";
import { sampleRecords, seededRandom } from "../store/sample-records.ts";
import type { Store } from "../store/store.ts";
import { type CostRequest, cost, costFrom } from "./cost.ts";
import { type Dimension, dimensions, isInRollup } from "./dimensions.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-cost-"));
const startMs = Date.UTC(2025, 10, 17, 5, 7, 13, 137);
const spanMs = 5 * 86_400_000;
let store: Store;
let records: UsageRecord[];

beforeAll(async () => {
  store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 });
  await store.migrate();
  const first = [...sampleRecords({ count: 12_000, startMs, spanMs, tenants: 5 })].map(priced);
  // Every eleventh record is taken back, every twenty-second of them billed anew under another feature.
  const corrections = first.filter((_, index) => index % 11 === 0).flatMap(correct);
  records = [...first, ...corrections];
  await store.insert({ token: "cost-1", records: first.slice(0, 7000) });
  await store.insert({ token: "cost-2", records: [...first.slice(7000), ...corrections] });
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

function correct(record: UsageRecord, index: number): UsageRecord[] {
  const negated = Object.fromEntries(Object.entries(record.usage).map(([name, count]) => [name, -count || 0]));
  const back: UsageRecord = {
    ...record,
    usage: negated as unknown as UsageRecord["usage"],
    calls: record.calls === 1 ? -1 : 0,
    costNanoUsd: record.costNanoUsd === null ? null : -record.costNanoUsd || 0,
    revision: 1,
  };
  return index % 2 === 0 ? [back] : [back, { ...record, feature: "moved", revision: 2 }];
}

/** The answer computed from the records, in the order of the store's. */
function expected(request: CostRequest) {
  const by = request.by as Dimension[];
  const groups = new Map<string, UsageRecord[]>();
  if (by.length === 0) groups.set("[]", []);
  for (const record of records) {
    const ms = record.startUs / 1000;
    if (ms < request.sinceMs || ms >= request.untilMs) continue;
    if (Object.entries(request.where ?? {}).some(([name, value]) => dimensionOf(record, name as Dimension) !== value))
      continue;
    const key = JSON.stringify(by.map((dimension) => dimensionOf(record, dimension)));
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [record]);
    else members.push(record);
  }
  return [...groups].map(([key, members]) => ({
    ...Object.fromEntries(
      (JSON.parse(key) as string[]).map((value, index) => [by[index], value === "" ? null : value]),
    ),
    ...totalsOf(members),
  }));
}

function totalsOf(members: readonly UsageRecord[]) {
  const sum = (of: (record: UsageRecord) => number) => members.reduce((total, record) => total + of(record), 0);
  const signed = (record: UsageRecord) => (record.calls === 0 ? 1 : record.calls);
  const unpriced = sum((record) => (record.costNanoUsd === null ? record.calls : 0));
  const priced = sum((record) => (record.costNanoUsd === null ? 0 : signed(record)));
  const nanoUsd = members.reduce((total, record) => total + BigInt(record.costNanoUsd ?? 0), 0n);
  return {
    calls: sum((record) => record.calls),
    input_tokens: sum(({ usage }) => totalInput(usage)),
    cache_read_tokens: sum(({ usage }) => usage.cacheRead),
    cache_write_tokens: sum(({ usage }) => usage.cacheWrite5m + usage.cacheWrite1h),
    output_tokens: sum(({ usage }) => totalOutput(usage)),
    reasoning_tokens: sum(({ usage }) => usage.reasoning),
    cost_usd: priced === 0 && unpriced !== 0 ? null : formatUsd(nanoUsd),
    unpriced_calls: unpriced,
    ...splitOf(members, priced === 0 && unpriced !== 0),
  };
}

/** Atto-dollars a token: whole nano-dollars, and one rate with a fraction, so that rounding has something to give away. */
const rates = {
  input: 2_500_000_000_000n,
  cacheRead: 1_250_000_000_000n,
  cacheWrite5m: 3_750_000_000_000n,
  cacheWrite1h: 6_000_000_000_000n,
  output: 112_500_000_000n,
  reasoning: 10_000_000_000_000n,
};
/** Billed by the call, on top of its tokens. */
const perCallNano = 5_000n;
const tag = priceTag(rates, { source: "own", version: "test", since: "" });

/** The record at these rates: the price with its fraction rounded up, and the nano-dollar given to output where there is one. */
function priced(record: UsageRecord): UsageRecord {
  if (record.costNanoUsd === null || record.calls === 0) return record;
  const nano = partsOf(record).map((atto) => atto / 1_000_000_000n);
  const carry = record.usage.output % 2 === 1 ? 1n << 3n : 0n;
  const sum = nano.reduce((total, part) => total + part, 0n) + (carry > 0n ? 1n : 0n) + perCallNano;
  return { ...record, priceTag: tag, costCarry: Number(carry), costNanoUsd: Number(sum) };
}

/** Atto-dollars of input, cache read, cache write, output and reasoning. */
function partsOf({ usage }: UsageRecord): readonly bigint[] {
  const [input, read, write5m, write1h, output, reasoning] = [
    BigInt(usage.input) * rates.input,
    BigInt(usage.cacheRead) * rates.cacheRead,
    BigInt(usage.cacheWrite5m) * rates.cacheWrite5m,
    BigInt(usage.cacheWrite1h) * rates.cacheWrite1h,
    BigInt(usage.output) * rates.output,
    BigInt(usage.reasoning) * rates.reasoning,
  ] as const;
  return [input, read, write5m + write1h, output, reasoning];
}

const splits = new WeakMap<UsageRecord, readonly number[]>();

/** Nano-dollars by kind, and the rest: whole numbers far below 2^53, also summed. */
function splitOfRecord(record: UsageRecord): readonly number[] {
  const found = splits.get(record);
  if (found !== undefined) return found;
  const known =
    record.priceTag === tag ? partsOf(record).map((atto) => Number(atto / 1_000_000_000n)) : [0, 0, 0, 0, 0];
  if (record.priceTag === tag && record.costCarry > 0) known[3] = (known[3] ?? 0) + record.calls;
  const split = [...known, (record.costNanoUsd ?? 0) - known.reduce((total, part) => total + part, 0)];
  splits.set(record, split);
  return split;
}

function splitOf(members: readonly UsageRecord[], unknown: boolean) {
  const sums = [0, 0, 0, 0, 0, 0];
  for (const record of members) {
    const parts = splitOfRecord(record);
    for (let index = 0; index < sums.length; index++) sums[index] = (sums[index] ?? 0) + (parts[index] ?? 0);
  }
  const shown = ["input", "cache_read", "cache_write", "output", "reasoning", "other"];
  return Object.fromEntries(
    shown.map((name, index) => [`cost_${name}_usd`, unknown ? null : formatUsd(sums[index] ?? 0)]),
  );
}

function dimensionOf(record: UsageRecord, dimension: Dimension): string {
  const time = new Date(record.startUs / 1000).toISOString();
  if (dimension === "day") return time.slice(0, 10);
  if (dimension === "hour") return `${time.slice(0, 13)}:00:00Z`;
  if (dimension === "prompt_name") return record.promptName;
  return dimension === "prompt_version" ? record.promptVersion : record[dimension];
}

const sorted = (rows: readonly object[]) => rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort();

const everything = { sinceMs: startMs - 86_400_000, untilMs: startMs + spanMs + 86_400_000 };

describe("cost", () => {
  it("of everything is one row", async () => {
    const rows = await cost(store, { by: [], ...everything });
    expect(rows).toEqual([totalsOf(records)]);
  });

  it("is split into parts that sum to it, of every kind", async () => {
    const [row] = await cost(store, { by: [], ...everything });
    const parts = Object.entries(row ?? {}).filter(([name]) => /^cost_.+_usd$/.test(name));
    expect(parts).toHaveLength(6);
    const nano = parts.map(([, usd]) => parseUsd(String(usd)));
    for (const part of nano) expect(part).toBeGreaterThan(0n);
    expect(nano.reduce((total, part) => total + part, 0n)).toBe(parseUsd(row?.cost_usd ?? ""));
  });

  it("comes without its parts where they are not wanted, and is the same", async () => {
    const request = { by: ["tenant", "user"], ...everything, limit: 10_000 };
    const withParts = await cost(store, request);
    const without = withParts.map((row) =>
      Object.fromEntries(Object.entries(row).filter(([name]) => !/^cost_.+_usd$/.test(name))),
    );
    expect(await cost(store, { ...request, split: false })).toEqual(without);
  });

  it("of a time without records is 0 in total and nothing by tenant", async () => {
    const empty = { sinceMs: 0, untilMs: 86_400_000_000 };
    const nothing = totalsOf([]);
    expect(await cost(store, { by: [], ...empty })).toEqual([nothing]);
    expect(await cost(store, { by: ["tenant"], ...empty })).toEqual([]);
    expect(await cost(store, { by: [], sinceMs: startMs, untilMs: startMs })).toEqual([nothing]);
    expect(await cost(store, { by: [], sinceMs: startMs + 5, untilMs: startMs })).toEqual([nothing]);
  });

  for (const dimension of dimensions)
    it(`by ${dimension} is what the records sum to`, async () => {
      const request = { by: [dimension], ...everything, limit: 10_000 };
      expect(sorted(await cost(store, request))).toEqual(sorted(expected(request)));
    });

  it("is sorted by falling cost, unknown cost last, and limited", async () => {
    const rows = await cost(store, { by: ["tenant", "model"], ...everything });
    const costs = rows.map((row) => (row.cost_usd === null ? -1 : Number(row.cost_usd)));
    expect(costs).toEqual([...costs].sort((a, b) => b - a));
    expect(costs.at(-1)).toBe(-1);
    expect(await cost(store, { by: ["tenant", "model"], ...everything, limit: 3 })).toEqual(rows.slice(0, 3));
  });

  it("filters by any dimension, quoted oddly or empty", async () => {
    for (const where of [
      { tenant: "tenant-1" },
      { provider: "" },
      { day: "2025-11-19", feature: "chat" },
      { hour: "2025-11-19T08:00:00Z" },
      { user: "nobody' OR 1 = 1 --" },
      { status: "error", model: "gpt-4o-2024-08-06" },
    ]) {
      const request = {
        by: ["tenant", "feature"],
        ...everything,
        where: where as Record<string, string>,
        limit: 10_000,
      };
      expect(sorted(await cost(store, request)), JSON.stringify(where)).toEqual(sorted(expected(request)));
    }
  });

  it("from days, slots and records is the same, and right, for random questions", async () => {
    const random = seededRandom(7);
    const kept = dimensions.filter(isInRollup);
    const unit = () => [1, 60_000, 900_000, 3_600_000, 86_400_000][Math.floor(random() * 5)] ?? 1;
    const round = (ms: number, to: number) => Math.floor(ms / to) * to;
    for (let question = 0; question < 40; question++) {
      const sinceMs = round(startMs + random() * spanMs * 0.9, unit());
      const untilMs = round(sinceMs + random() * (startMs + spanMs - sinceMs) * 1.2, unit());
      const by = kept.filter(() => random() < 0.25);
      const where =
        random() < 0.4 ? { feature: "chat" } : random() < 0.3 ? { tenant: "tenant-0", environment: "production" } : {};
      const request = { by, sinceMs, untilMs, where: where as Record<string, string>, limit: 10_000 };
      const answer = await cost(store, request);
      expect(answer).toEqual(await costFrom(store, request, "records"));
      expect(answer).toEqual(await costFrom(store, request, "slots"));
      expect(sorted(answer), JSON.stringify(request)).toEqual(sorted(expected(request)));
    }
  });

  it("names the nearest dimension when one is unknown", async () => {
    await expect(cost(store, { by: ["feture"], ...everything })).rejects.toThrow(
      /"feture" is not a dimension \(did you mean "feature"\?\); there are tenant, service/,
    );
    await expect(cost(store, { by: [], ...everything, where: { modle: "x" } })).rejects.toThrow(/did you mean "model"/);
    await expect(cost(store, { by: ["zzzzzz"], ...everything })).rejects.toThrow(
      /"zzzzzz" is not a dimension; there are/,
    );
  });
});
