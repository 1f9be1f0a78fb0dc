import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DiskSpace } from "../event-log/disk-space.ts";
import { LmdbLog } from "../event-log/lmdb-log.ts";
import { LmdbUsageLog } from "../event-log/lmdb-usage-log.ts";
import type { AttributeValue, Span } from "../model/span.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { PriceBook } from "../pricing/price-book.ts";
import { Acceptor } from "./accept.ts";
import { FreshEntries } from "./fresh-entries.ts";
import { decodeUsageEntry, type SpansEntry, type UsageEntry } from "./log-codec.ts";
import { Resolver } from "./resolver.ts";
import { identityKey } from "./stored-records.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
let clockMs = Date.UTC(2026, 5, 1, 12);
let directory = "";
let bench: Bench;

interface Bench {
  readonly usage: LmdbUsageLog;
  /** Sends spans as one export and waits until they are resolved. */
  send(...spans: Span[]): Promise<void>;
  /** Closes everything and opens it again. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "burnwatch-resolver-"));
  bench = open();
});
afterEach(async () => {
  await bench.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Everything that ever left the resolver: what a table that was written at once would hold. */
const table: UsageRecord[] = [];
beforeEach(() => table.splice(0));

function open(): Bench {
  const now = () => clockMs;
  const spans = new LmdbLog({ directory: join(directory, "spans") });
  const usage = new LmdbUsageLog({
    directory: join(directory, "usage"),
    identities: { horizonMs: dayMs, entriesMax: 100_000 },
  });
  const freshSpans = new FreshEntries<SpansEntry>(8);
  const freshUsage = new FreshEntries<UsageEntry>(8);
  const space = new DiskSpace({ directory, freeBytesMin: 0 });
  const acceptor = new Acceptor({
    log: spans,
    fresh: freshSpans,
    space,
    backlogSpansMax: 1000,
    oldestMs: 90 * dayMs,
    now,
  });
  let accepted = 0;
  let resolved = 0;
  const resolver = new Resolver({
    spans,
    usage,
    freshSpans,
    freshUsage,
    prices: new PriceBook(),
    now,
    findStored: async (wanted) => newestStored(wanted.map(identityKey)),
    observe: ({ records, spans: taken }) => {
      table.push(...records);
      resolved += taken;
    },
  });
  resolver.start();
  const close = async () => {
    await resolver.stop();
    await spans.close();
    await usage.close();
  };
  return {
    usage,
    async send(...sent) {
      const outcome = await acceptor.accept({ spans: sent, otherSpans: 0, rejected: [] });
      expect(outcome).toEqual({ kind: "accepted", rejected: [] });
      accepted += sent.length;
      while (resolved < accepted) await new Promise((resolve) => setTimeout(resolve, 2));
    },
    async restart() {
      await close();
      bench = open();
    },
    close,
  };
}

function newestStored(keys: readonly string[]): Map<string, UsageRecord> {
  const found = new Map<string, UsageRecord>();
  for (const record of table)
    if (record.calls >= 0 && keys.includes(identityKey(record))) found.set(identityKey(record), record);
  return found;
}

function chat(number: number, attributes: Readonly<Record<string, AttributeValue>> = {}, startMs = clockMs): Span {
  return {
    traceId: number.toString(16).padStart(32, "0"),
    spanId: number.toString(16).padStart(16, "0"),
    parentSpanId: "",
    name: "chat",
    scope: "",
    startUs: startMs * 1000,
    endUs: startMs * 1000 + 5,
    status: "ok",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.usage.input_tokens": 1000,
      ...attributes,
    },
    resource: {},
  };
}

/** Sums over everything resolved: gpt-4o costs 2,500 nano-dollars an input token. */
function sums() {
  const entries = bench.usage.entries.read(0, 10_000).flatMap(({ payload }) => decodeUsageEntry(payload).records);
  expect(entries).toEqual(table);
  return {
    calls: table.reduce((sum, { calls }) => sum + calls, 0),
    input: table.reduce((sum, { usage }) => sum + usage.input, 0),
    nanoUsd: table.reduce((sum, { costNanoUsd }) => sum + (costNanoUsd ?? 0), 0),
    rows: table.length,
  };
}

const once = { calls: 1, input: 1000, nanoUsd: 2_500_000, rows: 1 };

describe("a repeat of a span counts once", () => {
  it("in the same export", async () => {
    await bench.send(chat(1), chat(1));
    expect(sums()).toEqual(once);
  });
  it("in another export, and after a restart", async () => {
    await bench.send(chat(1));
    await bench.send(chat(1));
    await bench.restart();
    await bench.send(chat(1));
    expect(sums()).toEqual(once);
  });
  it("after an hour, and on another day within the horizon", async () => {
    const span = chat(1);
    await bench.send(span);
    clockMs += hourMs;
    await bench.send(span);
    clockMs += 14 * hourMs;
    await bench.send(span);
    expect(sums()).toEqual(once);
  });
  it("among others, after a restart, on another day, and in whatever order", async () => {
    const spans = [1, 2, 3].map((number) => chat(number));
    await bench.send(...spans);
    await bench.restart();
    clockMs += 13 * hourMs;
    await bench.send(chat(4), ...spans.toReversed(), chat(5));
    await bench.restart();
    await bench.send(...spans);
    expect(sums()).toEqual({ calls: 5, input: 5000, nanoUsd: 12_500_000, rows: 5 });
  });
  it("after the index has forgotten it, because the table is asked", async () => {
    const span = chat(1);
    await bench.send(span);
    for (let day = 0; day < 4; day++) {
      clockMs += dayMs;
      await bench.send(chat(100 + day));
    }
    expect(bench.usage.seen({ tenant: "default", traceId: span.traceId, spanId: span.spanId })).toBeUndefined();
    await bench.send(span);
    expect(sums()).toMatchObject({ calls: 5, rows: 5 });
  });
  it("but not across tenants", async () => {
    await bench.send(chat(1), chat(1, { "burnwatch.tenant": "other" }));
    expect(sums()).toMatchObject({ calls: 2, rows: 2 });
  });
});

describe("a span sent again with a higher revision corrects the sums", () => {
  const corrected = { "gen_ai.usage.input_tokens": 400, "burnwatch.revision": 1 };

  it("in the same export", async () => {
    await bench.send(chat(1), chat(1, corrected));
    expect(sums()).toEqual({ calls: 1, input: 400, nanoUsd: 1_000_000, rows: 3 });
  });
  it("in another export, after a restart, and only once", async () => {
    await bench.send(chat(1));
    await bench.restart();
    await bench.send(chat(1, corrected));
    await bench.send(chat(1, corrected), chat(1));
    expect(sums()).toEqual({ calls: 1, input: 400, nanoUsd: 1_000_000, rows: 3 });
  });
  it("again with a still higher one", async () => {
    await bench.send(chat(1), chat(1, corrected), chat(1, { "gen_ai.usage.input_tokens": 7, "burnwatch.revision": 2 }));
    expect(sums()).toEqual({ calls: 1, input: 7, nanoUsd: 17_500, rows: 5 });
  });
  it("counts as the call itself when it comes first, and the earlier revision is then a repeat", async () => {
    await bench.send(chat(1, corrected));
    await bench.send(chat(1));
    expect(sums()).toEqual({ calls: 1, input: 400, nanoUsd: 1_000_000, rows: 1 });
  });
  it("takes back an unknown price as an unknown price", async () => {
    const unpriced = { "gen_ai.request.model": "nonesuch", "gen_ai.response.model": "nonesuch" };
    await bench.send(chat(1, unpriced));
    await bench.send(chat(1, { "burnwatch.revision": 1 }));
    expect(table.map(({ calls, costNanoUsd }) => [calls, costNanoUsd])).toEqual([
      [1, null],
      [-1, null],
      [1, 2_500_000],
    ]);
  });
});

it("cuts a backfill over a year into entries of at most 20 days each", async () => {
  const spans = Array.from({ length: 80 }, (_, day) => chat(day + 1, {}, clockMs - day * dayMs));
  await bench.send(...spans);
  const entries = bench.usage.entries.read(0, 1000).map(({ payload }) => decodeUsageEntry(payload).records);
  for (const records of entries) {
    expect(new Set(records.map(({ startUs }) => Math.floor(startUs / 1000 / dayMs))).size).toBeLessThanOrEqual(20);
  }
  expect(entries.flat()).toHaveLength(80);
  expect(entries.filter((records) => records.length > 0)).toHaveLength(4);
});
