/** Metrics through the acceptor into both stores, and back out: what a repeat, a failure or a restart changes is nothing. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@clickhouse/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClickhouseTestServer, startClickhouseServer } from "../../../test/support/clickhouse-server.ts";
import { openEmbeddedStore } from "../../store/embedded.ts";
import { openRemoteStore } from "../../store/remote.ts";
import type { Store } from "../../store/store.ts";
import type { MetricPoint } from "./decoded-metrics.ts";
import { MetricAcceptor, type MetricAcceptorOptions } from "./metric-acceptor.ts";
import { defaultSeriesMax } from "./series-limits.ts";

const nowMs = Date.UTC(2026, 10, 20, 12, 30);
const us = (secondsAgo: number) => (nowMs - secondsAgo * 1000) * 1000;

function point(over: Partial<MetricPoint> = {}): MetricPoint {
  return {
    index: 0,
    name: "hw.gpu.utilization",
    unit: "1",
    kind: "gauge",
    scope: "",
    resource: { "service.name": "gpus", "service.instance.id": "node-1" },
    attributes: { "hw.id": "gpu-0" },
    startUs: 0,
    timeUs: us(60),
    value: 0.5,
    count: null,
    ...over,
  };
}

function acceptorOf(store: MetricAcceptorOptions["store"], over: Partial<MetricAcceptorOptions> = {}): MetricAcceptor {
  return new MetricAcceptor({
    store,
    logEnergy: async () => {},
    space: { shortage: () => null },
    now: () => nowMs,
    oldestMs: 30 * 86_400_000,
    seriesMax: defaultSeriesMax,
    pendingPointsMax: 100,
    lingerMs: 5,
    ...over,
  });
}

const decoded = (points: readonly MetricPoint[]) => ({ points, otherPoints: 0, rejected: [] });
const accepted = { kind: "accepted", rejected: [] };
const directory = mkdtempSync(join(tmpdir(), "burnwatch-metrics-"));
const database = `burnwatch_metrics_${process.pid}`;
let server: ClickhouseTestServer | undefined;

const implementations = {
  embedded: async () => openEmbeddedStore({ directory, rawRetentionDays: 36_500 }),
  remote: async () => {
    server = await startClickhouseServer();
    return openRemoteStore({ url: server.url, database, rawRetentionDays: 36_500 });
  },
};

describe.each(Object.entries(implementations))("metrics in the %s store", (_name, open) => {
  let store: Store;
  beforeAll(async () => {
    store = await open();
    await store.migrate();
  }, 60_000);
  afterAll(async () => {
    await store.close();
    if (server !== undefined) {
      const client = createClient({ url: server.url });
      await client.command({ query: `DROP DATABASE IF EXISTS ${database} SYNC` });
      await client.close();
      await server.stop();
    }
    rmSync(directory, { recursive: true, force: true });
  });

  const minutes = (instance: string) =>
    store.query(
      `SELECT formatDateTime(minute, '%H:%i') AS at, name, device, min, max, sum, toInt32(count) AS count, last
       FROM resource_metrics WHERE instance = {instance:String} ORDER BY name, device, minute`,
      { params: { instance } },
    );

  it("shows least, most, sum, count and last of a minute, whatever the order, the grouping and the repeats", async () => {
    const readings = [70, 65, 50, 10].map((secondsAgo, i) =>
      point({ timeUs: us(secondsAgo), value: [0.5, 0.25, 1, 0.75][i] ?? 0 }),
    );
    const expected = [
      { at: "12:28", min: 0.25, max: 0.5, sum: 0.75, count: 2, last: 0.25 },
      { at: "12:29", min: 0.75, max: 1, sum: 1.75, count: 2, last: 0.75 },
    ].map((row) => ({ ...row, name: "hw.gpu.utilization", device: "gpu-0" }));
    const orders = [readings, readings.toReversed(), [...readings, ...readings]];
    for (const [index, order] of orders.entries()) {
      const resource = { "service.name": "gpus", "service.instance.id": `order-${index}` };
      const acceptor = acceptorOf(store);
      for (const each of order) expect(await acceptor.accept(decoded([{ ...each, resource }]))).toEqual(accepted);
      expect(await acceptorOf(store).accept(decoded(order.map((each) => ({ ...each, resource }))))).toEqual(accepted);
      expect(await minutes(`order-${index}`)).toEqual(expected);
    }
  });

  it("sums what counters grew by, through repeats and restarts of this server and of theirs", async () => {
    const resource = { "service.name": "vllm", "service.instance.id": "counter" };
    const total = (secondsAgo: number, value: number, startSecondsAgo = 300) =>
      point({
        resource,
        name: "vllm:generation_tokens_total",
        kind: "cumulative",
        startUs: us(startSecondsAgo),
        timeUs: us(secondsAgo),
        value,
      });
    const first = acceptorOf(store);
    for (const each of [total(200, 100), total(140, 130), total(140, 130)]) await first.accept(decoded([each]));
    const second = acceptorOf(store);
    for (const each of [total(140, 130), total(80, 150), total(20, 7, 50)]) await second.accept(decoded([each]));
    const rows = (await minutes("counter")) as { sum: number; last: number }[];
    expect(rows.map(({ sum, last }) => [sum, last])).toEqual([
      [100, 100],
      [30, 130],
      [20, 150],
      [7, 7],
    ]);
  });

  it("takes points of a hundred and fifty days at once", async () => {
    const resource = { "service.instance.id": "late" };
    const late = Array.from({ length: 150 }, (_, days) => point({ resource, timeUs: us(days * 86_400 + 60) }));
    const acceptor = acceptorOf(store, { oldestMs: 200 * 86_400_000, pendingPointsMax: 1000 });
    expect(await acceptor.accept(decoded(late))).toEqual(accepted);
    expect(await minutes("late")).toHaveLength(150);
  });

  it.each([
    ["happened and its answer was lost", true],
    ["did not happen", false],
  ])("counts once where an insert %s", async (_what, happens) => {
    const instance = `unsure-${happens}`;
    const resource = { "service.name": "vllm", "service.instance.id": instance };
    const stream = { resource, name: "vllm:prompt_tokens_total", kind: "cumulative", startUs: us(300) } as const;
    const total = (secondsAgo: number, value: number) => point({ ...stream, timeUs: us(secondsAgo), value });
    let fails = false;
    const unsure: MetricAcceptorOptions["store"] = {
      query: (sql, options) => store.query(sql, options),
      async insertMetrics(rows) {
        if (happens || !fails) await store.insertMetrics(rows);
        if (fails) throw new Error("connection reset");
      },
    };
    const acceptor = acceptorOf(unsure);
    await acceptor.accept(decoded([total(200, 100)]));
    fails = true;
    const failed = await acceptor.accept(decoded([total(140, 130)]));
    const message = "store of metrics: connection reset";
    expect(failed).toEqual({ kind: "unavailable", retryAfterSeconds: 5, message });
    fails = false;
    // The newer total overtakes the repeat of the failed one.
    for (const each of [total(80, 150), total(140, 130)])
      expect(await acceptor.accept(decoded([each]))).toEqual(accepted);
    const rows = (await minutes(instance)) as { sum: number }[];
    expect(rows.map(({ sum }) => sum)).toEqual(happens ? [100, 30, 20] : [100, 50]);
  });
});

describe("the acceptor", () => {
  const nothingKnown = async () => [];

  it("groups what comes together into one insert and answers each, with what was refused of it", async () => {
    const inserts: number[] = [];
    const store = {
      query: nothingKnown,
      insertMetrics: async ({ points }: { points: readonly unknown[] }) => void inserts.push(points.length),
    };
    const acceptor = acceptorOf(store);
    const future = point({ index: 1, timeUs: us(-7200) });
    const old = point({ index: 2, timeUs: us(31 * 86_400) });
    const answers = await Promise.all([
      acceptor.accept(decoded([point(), future, old])),
      acceptor.accept(decoded([point({ timeUs: us(59) }), point({ timeUs: us(58) })])),
      acceptor.accept(decoded([])),
    ]);
    expect(answers).toEqual([
      {
        kind: "accepted",
        rejected: [
          { index: 1, reason: "its time 2026-11-20T14:30:00.000Z is in the future: check the producer's clock" },
          { index: 2, reason: "its time 2026-10-20T12:30:00.000Z is before the 30 days that metrics are kept" },
        ],
      },
      accepted,
      accepted,
    ]);
    expect(inserts).toEqual([3]);
  });

  it("stores nothing while the disk is nearly full, says why, and takes metrics again when there is space", async () => {
    let shortage: string | null = "not enough space on the collector's disk";
    let inserts = 0;
    const store = { query: nothingKnown, insertMetrics: async () => void inserts++ };
    const acceptor = acceptorOf(store, { space: { shortage: () => shortage } });
    expect(await acceptor.accept(decoded([point()]))).toEqual({
      kind: "unavailable",
      retryAfterSeconds: 10,
      message: "not enough space on the collector's disk; free some, and metrics are taken again without a restart",
    });
    expect(inserts).toBe(0);
    shortage = null;
    expect(await acceptor.accept(decoded([point()]))).toEqual(accepted);
    expect(inserts).toBe(1);
  });

  it("answers only after the insert, asks to come again when full, and stores what waits before it stops", async () => {
    let finish = () => {};
    let inserts = 0;
    const insertMetrics = async () => {
      inserts++;
      await new Promise<void>((resolve) => (finish = resolve));
    };
    const acceptor = acceptorOf({ query: nothingKnown, insertMetrics }, { pendingPointsMax: 2 });
    let answered = false;
    const first = acceptor.accept(decoded([point(), point({ timeUs: us(1) })])).then((outcome) => {
      answered = true;
      return outcome;
    });
    expect(await acceptor.accept(decoded([point()]))).toEqual({ kind: "overloaded", retryAfterSeconds: 1 });
    await expect.poll(() => inserts).toBe(1);
    expect(answered).toBe(false);
    const stopped = acceptor.stop();
    finish();
    await stopped;
    expect(await first).toEqual(accepted);
  });
});
