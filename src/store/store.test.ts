/** One suite over every implementation of the store. Each test has a tenant of its own: they share the tables. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@clickhouse/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClickhouseTestServer, startClickhouseServer } from "../../test/support/clickhouse-server.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { openEmbeddedStore } from "./embedded.ts";
import { openRemoteStore } from "./remote.ts";
import { sampleRecords } from "./sample-records.ts";
import type { Store } from "./store.ts";
import { retracted, sumsOf, sumsOfRecords } from "./store-sums.ts";

interface Implementation {
  readonly name: string;
  readonly open: () => Promise<Store>;
  readonly dispose: () => Promise<void>;
}

const directory = mkdtempSync(join(tmpdir(), "burnwatch-store-"));
/** A ClickHouse of the tester's, or else the embedded engine as a server in its own process. */
let server = process.env["BURNWATCH_TEST_CLICKHOUSE"];
let ownServer: ClickhouseTestServer | undefined;
const database = `burnwatch_test_${process.pid}`;

const implementations: readonly Implementation[] = [
  {
    name: "embedded",
    open: () => openEmbeddedStore({ directory, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 }),
    dispose: async () => rmSync(directory, { recursive: true, force: true }),
  },
  {
    name: "remote",
    open: async () => {
      if (server === undefined) {
        ownServer = await startClickhouseServer();
        server = ownServer.url;
      }
      return openRemoteStore({ url: server, database, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 });
    },
    dispose: async () => {
      const client = createClient({ url: server ?? "" });
      await client.command({ query: `DROP DATABASE IF EXISTS ${database} SYNC` });
      await client.close();
      await ownServer?.stop();
    },
  },
];

const startMs = Date.UTC(2025, 10, 20, 8);
const generousLimits = { seconds: 20, rows: 1_000_000, memoryBytes: 1_000_000_000 };

function recordsOf(tenant: string, count: number, over: { seed?: number; startMs?: number; spanMs?: number } = {}) {
  const records = [...sampleRecords({ count, startMs, spanMs: 3_600_000, ...over })];
  return records.map((record): UsageRecord => ({ ...record, tenant }));
}

for (const { name, open, dispose } of implementations)
  describe(name, () => {
    let store: Store;
    beforeAll(async () => {
      store = await open();
    });
    afterAll(async () => {
      await store?.close();
      await dispose();
    });

    it("migrates once and then changes nothing", async () => {
      const tables = ["usage_records", "usage_rollup_15m", "usage_rollup_1d", "usage_views", "sealed_days"];
      const names = [...tables, "cost_split", "reprices", "metrics", "instances_modalities", "prompt_hash"];
      expect(await store.migrate()).toEqual(names);
      expect(await store.migrate()).toEqual([]);
      const rows = await store.query("SELECT version, name FROM schema_migrations ORDER BY version");
      expect(rows).toEqual(names.map((name, index) => ({ version: index + 1, name })));
    });

    it("gives back every column exactly as it was stored", async () => {
      const tenant = 'exact "quoted" \\ back\n\t\u0001\u0000 é 漢 🙂 \u2028';
      const record: UsageRecord = {
        ...oneRecord(tenant),
        startUs: startMs * 1000 + 123_456,
        endUs: startMs * 1000 + 123_457 + 86_400_000_000,
        user: "lone \ud800 surrogate",
        session: 'lone \udc00 and "quote"',
        costNanoUsd: Number.MAX_SAFE_INTEGER,
        reportedNanoUsd: 1,
        calls: 1,
        revision: 65_535,
        instance: "lone \ud800 instance",
        modalities: {
          audioInput: 1,
          audioCacheRead: 2,
          audioOutput: 3,
          imageInput: 4,
          imageCacheRead: 5,
          imageOutput: Number.MAX_SAFE_INTEGER,
        },
        images: 12,
        audioMs: Number.MAX_SAFE_INTEGER,
        serviceTier: "batch",
        priceTag: "no \ud800 tag",
        costCarry: 31,
        repricings: 65_535,
        flags: ["cache_semantics_assumed", 'odd "flag"'],
        usage: {
          input: 1,
          cacheRead: 2,
          cacheWrite5m: 3,
          cacheWrite1h: 4,
          output: 5,
          reasoning: Number.MAX_SAFE_INTEGER,
        },
      };
      await store.insert({
        token: "exact-1",
        records: [record, { ...record, costNanoUsd: null, flags: [], calls: 0 }],
      });
      const rows = await store.query("SELECT * FROM usage_records WHERE tenant = {tenant:String} ORDER BY calls DESC", {
        params: { tenant },
      });
      expect(rows).toEqual([
        {
          ts: "2025-11-20 08:00:00.123456",
          duration_us: "86400000001",
          trace_id: record.traceId,
          span_id: record.spanId,
          parent_span_id: record.parentSpanId,
          tenant,
          service: record.service,
          environment: record.environment,
          feature: record.feature,
          user: "lone \ufffd surrogate",
          session: 'lone \ufffd and "quote"',
          agent: record.agent,
          run: record.run,
          prompt_name: record.promptName,
          prompt_version: record.promptVersion,
          release: record.release,
          operation: record.operation,
          provider: record.provider,
          model: record.model,
          request_model: record.requestModel,
          response_id: record.responseId,
          finish_reason: record.finishReason,
          status: record.status,
          error_type: record.errorType,
          tool: record.tool,
          tool_args_hash: record.toolArgsHash,
          prompt_hash: BigInt(`0x${record.promptHash || "0"}`).toString(),
          outcome: record.outcome,
          input_uncached_tokens: "1",
          cache_read_tokens: "2",
          cache_write_5m_tokens: "3",
          cache_write_1h_tokens: "4",
          output_visible_tokens: "5",
          reasoning_tokens: "9007199254740991",
          calls: 1,
          unpriced_calls: 0,
          cost_usd: "9007199.254740991",
          cost_status: record.costStatus,
          cost_reported_usd: "0.000000001",
          revision: 65_535,
          flags: ["cache_semantics_assumed", 'odd "flag"'],
          batch: "exact-1",
          images: "12",
          audio_ms: "9007199254740991",
          service_tier: "batch",
          price_tag: "no \ufffd tag",
          cost_carry: 31,
          repricings: 65_535,
          instance: "lone \ufffd instance",
          audio_input_tokens: "1",
          audio_cache_read_tokens: "2",
          audio_output_tokens: "3",
          image_input_tokens: "4",
          image_cache_read_tokens: "5",
          image_output_tokens: "9007199254740991",
        },
        expect.objectContaining({ cost_usd: null, unpriced_calls: 0, calls: 0, flags: [] }),
      ]);
    });

    it("repeats of a token change nothing, in the base and in the rollups, also after reopening", async () => {
      const records = recordsOf("repeated", 500);
      const batch = { token: "repeated-1", records };
      await store.insert(batch);
      await store.insert(batch);
      const once = sumsOfRecords(records);
      expect(await sumsOf(store, "repeated")).toEqual(once);
      await store.close();
      store = await open();
      expect(await store.migrate()).toEqual([]);
      await store.insert(batch);
      expect(await sumsOf(store, "repeated")).toEqual(once);
    });

    it("lets the token decide, not the rows: a repeat encoded otherwise, as by a newer version, changes nothing", async () => {
      const records = recordsOf("token-decides", 50);
      await store.insert({ token: "token-decides-1", records });
      await store.insert({
        token: "token-decides-1",
        records: records.map((record) => ({ ...record, release: "next" })),
      });
      expect(await sumsOf(store, "token-decides")).toEqual(sumsOfRecords(records));
    });

    it("keeps the same data under another token", async () => {
      const records = recordsOf("twice", 100);
      await store.insert({ token: "twice-1", records });
      await store.insert({ token: "twice-2", records });
      expect(await sumsOf(store, "twice")).toEqual(sumsOfRecords([...records, ...records]));
    });

    it("repeats a batch over 20 days exactly, with other batches in between", async () => {
      const records = recordsOf("days", 2000, { spanMs: 20 * 86_400_000, startMs: Date.UTC(2025, 9, 1) });
      await store.insert({ token: "days-1", records });
      for (let index = 0; index < 10; index++)
        await store.insert({
          token: `days-other-${index}`,
          records: recordsOf("days-other", 40, { spanMs: 20 * 86_400_000, startMs: Date.UTC(2025, 9, 1), seed: index }),
        });
      await store.insert({ token: "days-1", records });
      expect(await sumsOf(store, "days")).toEqual(sumsOfRecords(records));
    }, 60_000);

    it("refuses a batch over more than 20 days without storing a part of it", async () => {
      const records = recordsOf("too-many-days", 2000, { spanMs: 25 * 86_400_000 });
      await expect(store.insert({ token: "too-many-days", records })).rejects.toThrow(/too many partitions/i);
      expect((await sumsOf(store, "too-many-days")).rows).toBe(0);
    });

    it("sums corrections, unpriced calls and tool calls to the nano-dollar", async () => {
      const records = recordsOf("corrected", 3000);
      const corrections = records
        .filter((_, index) => index % 7 === 0)
        .flatMap((record) => [
          retracted(record),
          { ...record, revision: 2, costNanoUsd: (record.costNanoUsd ?? 0) + 1, costStatus: "priced" as const },
        ]);
      await store.insert({ token: "corrected-1", records });
      await store.insert({ token: "corrected-2", records: corrections });
      expect(await sumsOf(store, "corrected")).toEqual(sumsOfRecords([...records, ...corrections]));
    });

    it("says null for a group of unpriced calls, and 0 for calls that cancel out or that nobody bills", async () => {
      const base = { ...oneRecord("nulls"), usage: { ...oneRecord("nulls").usage } };
      const unpriced: UsageRecord = { ...base, costNanoUsd: null, costStatus: "unpriced_model", calls: 1 };
      const priced: UsageRecord = { ...base, costNanoUsd: 5, costStatus: "priced", calls: 1 };
      await store.insert({
        token: "nulls-1",
        records: [
          { ...unpriced, feature: "unpriced" },
          { ...unpriced, feature: "mixed" },
          { ...priced, feature: "mixed" },
          { ...priced, feature: "cancelled" },
          retracted({ ...priced, feature: "cancelled" }),
          { ...priced, feature: "tool", calls: 0, costNanoUsd: 0, costStatus: "not_billable" },
        ],
      });
      const rows = await store.query(
        `SELECT feature, any(cost_usd) AS cost FROM usage_by_day WHERE tenant = 'nulls' AND feature != 'mixed'
         GROUP BY feature ORDER BY feature`,
      );
      expect(rows).toEqual([
        { feature: "cancelled", cost: "0" },
        { feature: "tool", cost: "0" },
        { feature: "unpriced", cost: null },
      ]);
      const [mixed] = await store.query(
        "SELECT sum(cost_usd) AS cost, sum(unpriced_calls) AS unpriced FROM usage_by_hour WHERE tenant = 'nulls' AND feature = 'mixed'",
      );
      expect(mixed).toEqual({ cost: "0.000000005", unpriced: "1" });
    });

    it("keeps every digit of decimals and of 64-bit integers", async () => {
      const [row] = await store.query(
        "SELECT toDecimal128('2000000000.999999999', 9) AS usd, toInt64(9223372036854775807) AS big",
      );
      expect(row).toEqual({ usd: "2000000000.999999999", big: "9223372036854775807" });
      const bytes = await store.queryText(
        "SELECT toDecimal128('2000000000.999999999', 9) AS usd",
        "JSONEachRow",
        generousLimits,
      );
      expect(Buffer.from(bytes).toString()).toBe('{"usd":"2000000000.999999999"}\n');
    });

    it("takes parameters as values, never as SQL", async () => {
      const odd = "'); DROP TABLE usage_records; -- \\ \u0000 {x:String} \n";
      const rows = await store.query(
        "SELECT {odd:String} AS odd, {list:Array(String)} AS list, {count:UInt32} + 1 AS next, '{odd:String}' AS quoted",
        { params: { odd, list: ["a", "b'c"], count: 41 } },
      );
      expect(rows).toEqual([{ odd, list: ["a", "b'c"], next: "42", quoted: "{odd:String}" }]);
      await expect((async () => store.query("SELECT {missing:String}"))()).rejects.toThrow(/missing/);
    });

    it("settings of one call do not leak into another", async () => {
      // A token does not stay: the same data without that token is kept.
      const records = recordsOf("leaks", 10);
      for (const token of ["leak-a", "leak-b", "leak-c"]) await store.insert({ token, records });
      expect((await sumsOf(store, "leaks")).rows).toBe(30);
      // Read-only does not stay: inserts work after a user's query, and limits end with their query.
      await store.queryText("SELECT 1", "TSV", { seconds: 1, rows: 1, memoryBytes: 100_000_000 });
      await store.insert({ token: "leak-d", records });
      expect((await sumsOf(store, "leaks")).rows).toBe(40);
      await expect(store.query("SELECT * FROM numbers(5)", { limits: { ...generousLimits, rows: 4 } })).rejects.toThrow(
        /limit/i,
      );
      for (let round = 0; round < 4; round++) expect(await store.query("SELECT * FROM numbers(5)")).toHaveLength(5);
      expect(await store.query("SELECT * FROM numbers(5)", { limits: generousLimits })).toHaveLength(5);
      await expect(store.queryText("SELECT * FROM numbers(5)", "TSV", { ...generousLimits, rows: 4 })).rejects.toThrow(
        /limit/i,
      );
      expect(Buffer.from(await store.queryText("SELECT * FROM numbers(2)", "TSV", generousLimits)).toString()).toBe(
        "0\n1\n",
      );
    });

    it("limits hold for a union, in time, rows and memory", async () => {
      const union = "SELECT number FROM numbers(3) UNION ALL SELECT number FROM numbers(3)";
      await expect(store.query(union, { limits: { ...generousLimits, rows: 5 } })).rejects.toThrow(/limit/i);
      const endless = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1";
      const begun = Date.now();
      await expect(store.queryText(endless, "TSV", { ...generousLimits, seconds: 1 })).rejects.toThrow(/timeout/i);
      expect(Date.now() - begun).toBeLessThan(5000);
      const big = "SELECT length(groupArray(toString(number))) FROM numbers(50000000)";
      await expect(store.queryText(big, "TSV", { ...generousLimits, memoryBytes: 50_000_000 })).rejects.toThrow(
        /memory/i,
      );
    });

    it("inserts and answers at once", async () => {
      const batches = Array.from({ length: 8 }, (_, index) => ({
        token: `busy-${index}`,
        records: recordsOf("busy", 1000, { seed: index }),
      }));
      const inserts = batches.map((batch) => store.insert(batch));
      const reads = Array.from({ length: 12 }, () => store.query("SELECT count() FROM usage WHERE tenant = 'busy'"));
      await Promise.all([...inserts, ...reads]);
      expect(await sumsOf(store, "busy")).toEqual(sumsOfRecords(batches.flatMap((batch) => batch.records)));
    });

    it("knows which days of a batch were stored, and finds nothing to repair in whole rollups", async () => {
      await store.insert({ token: "known-1", records: recordsOf("known", 5) });
      expect([...(await store.batchDays("known-1", ["2025-11-20"]))]).toEqual([["2025-11-20", 5]]);
      expect([...(await store.batchDays("known-1", ["2025-11-21"]))]).toEqual([]);
      expect([...(await store.batchDays("known-2", ["2025-11-20"]))]).toEqual([]);
      expect(await store.repairRollups(["2025-11-20"])).toEqual([]);
      await expect(store.repairRollups(["yesterday"])).rejects.toThrow('"yesterday" is no day');
    });

    it("seals closed days, opens them for late records, and seals them again", async () => {
      await store.insert({ token: "seal-1", records: recordsOf("seal", 50) });
      expect(await store.sealDays("2025-11-20")).not.toContain("2025-11-20");
      expect(await store.sealDays("2025-11-21")).toContain("2025-11-20");
      expect(await store.sealedDays()).toContain("2025-11-20");
      expect(await store.sealDays("2025-11-21")).toEqual([]);
      await store.openDays(["2025-11-20"]);
      expect(await store.sealedDays()).not.toContain("2025-11-20");
      await store.insert({ token: "seal-2", records: recordsOf("seal", 50, { seed: 2 }) });
      expect(await store.sealDays("2025-11-21")).toEqual(["2025-11-20"]);
      expect(await store.brokenSeals()).toEqual([]);
      await store.insert({ token: "seal-3", records: recordsOf("seal", 5, { seed: 3 }) });
      expect(await store.brokenSeals()).toEqual(["2025-11-20"]);
      await store.openDays(["2025-11-20"]);
      await store.sealDays("2025-11-21");
      expect(await store.brokenSeals()).toEqual([]);
    });

    it("stores 100,000 records and sums them as they are", async () => {
      const records = recordsOf("many", 100_000);
      await store.insert({ token: "many-1", records });
      await store.insert({ token: "many-1", records });
      expect(await sumsOf(store, "many")).toEqual(sumsOfRecords(records));
    }, 60_000);

    it("refuses work once it is closed, and opens again", async () => {
      const running = store.query("SELECT sleep(0.3)");
      const closing = store.close();
      await expect(store.query("SELECT 1")).rejects.toThrow("the store is closed");
      await running;
      await closing;
      store = await open();
      expect(await store.describe()).toMatch(/26\.|\d+\.\d+/);
    });
  });

function oneRecord(tenant: string): UsageRecord {
  const [record] = recordsOf(tenant, 1);
  if (record === undefined) throw new Error("no sample record");
  return record;
}
