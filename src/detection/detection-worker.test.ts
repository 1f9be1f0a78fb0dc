import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { LmdbUsageLog } from "../event-log/lmdb-usage-log.ts";
import type { Finding } from "../model/finding.ts";
import { noUsage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { DetectionWorker } from "./detection-worker.ts";
import { judgeHere, type WatchedEntry } from "./judge.ts";

const minuteMs = 60_000;
const startMs = Date.UTC(2026, 0, 5, 9);
const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

async function logOf(entries: readonly WatchedEntry[]): Promise<LmdbUsageLog> {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-detection-"));
  directories.push(directory);
  const log = new LmdbUsageLog({ directory, identities: { horizonMs: 1000, entriesMax: 1000 } });
  await Promise.all(entries.map((entry) => log.entries.append(Buffer.from(JSON.stringify(entry)))));
  return log;
}

/** Runs a worker over the log until it has judged the entry `until`, as one life of a process. */
async function live(log: LmdbUsageLog, until: number): Promise<readonly [number, Finding][]> {
  const told: [number, Finding][] = [];
  const worker = new DetectionWorker({
    usage: log,
    judge: judgeHere(
      { choices: {}, seriesMax: 100 },
      (_, payload) => JSON.parse(Buffer.from(payload).toString()) as WatchedEntry,
    ),
    saveEveryMs: 0,
    now: () => 0,
    report: async (findings, offset) => {
      for (const finding of findings) told.push([offset, finding]);
    },
  });
  worker.start();
  while (worker.offset() < until) await new Promise((resolve) => setTimeout(resolve, 1));
  await worker.stop();
  return told;
}

function record(atMs: number, usd: number, feature = "search"): UsageRecord {
  const empty = {
    service: "",
    environment: "",
    user: "",
    session: "",
    agent: "",
    run: "",
    promptName: "",
    promptVersion: "",
  };
  return {
    ...empty,
    tenant: "acme",
    feature,
    release: "",
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    instance: "",
    parentSpanId: "",
    startUs: atMs * 1000,
    endUs: atMs * 1000,
    operation: "chat",
    provider: "openai",
    model: "gpt-4o",
    requestModel: "gpt-4o",
    responseId: "",
    finishReason: "",
    status: "ok",
    errorType: "",
    tool: "",
    toolArgsHash: "",
    promptHash: "",
    outcome: "",
    usage: { ...noUsage, input: 100 },
    modalities: null,
    images: 0,
    audioMs: 0,
    serviceTier: "",
    calls: 1,
    priceTag: "",
    costCarry: 0,
    repricings: 0,
    costNanoUsd: Math.round(usd * 1e9),
    costStatus: "priced",
    reportedNanoUsd: null,
    revision: 0,
    flags: [],
  };
}

/** Forty minutes of a dollar a minute in ten calls, then five of eight dollars, then silence told by ticks. */
function incident(): WatchedEntry[] {
  const entries: WatchedEntry[] = [];
  for (let minute = 0; minute < 45; minute++) {
    const usd = (minute < 40 ? 1 : 8) * (1 + 0.1 * Math.sin(minute));
    for (let call = 0; call < 10; call++) {
      const atMs = startMs + minute * minuteMs + call * 6000;
      entries.push({ arrivedAtMs: atMs, records: [record(atMs, usd / 10), record(atMs, usd / 100, "other")] });
    }
  }
  for (let tick = 1; tick <= 8; tick++) entries.push({ arrivedAtMs: startMs + (45 + tick) * minuteMs, records: [] });
  return entries;
}

it("tells an incident from its onset, in dollars, with what changed, and ends it by the clock of the log", async () => {
  const entries = incident();
  const log = await logOf(entries);
  const told = (await live(log, entries.length))
    .map(([, finding]) => finding)
    .filter(({ series }) => series.feature === "search");
  expect(told[0]).toMatchObject({
    status: "firing",
    kind: "spend_above_baseline",
    series: { tenant: "acme", feature: "search" },
  });
  expect(told[0]?.onsetMs).toBe(startMs + 40 * minuteMs);
  expect(told[0]?.evidence).toMatchObject({ top_model: "gpt-4o" });
  const resolved = told.at(-1);
  expect(resolved?.status).toBe("resolved");
  expect((resolved?.impactNanoUsd ?? 0) / 1e9).toBeGreaterThan(30);
  expect((resolved?.impactNanoUsd ?? 0) / 1e9).toBeLessThan(40);
  expect(told.filter(({ status }) => status === "resolved")).toHaveLength(1);
  await log.close();
});

it("gives the same findings for the same log, wherever it was restarted", async () => {
  const entries = incident();
  const whole = await logOf(entries);
  const expected = await live(whole, entries.length);
  await whole.close();
  for (const cuts of [[1], [123], [399, 400, 401], [405, 430], [449, 451, 455]]) {
    const log = await logOf(entries);
    const told: (readonly [number, Finding])[] = [];
    for (const until of [...cuts, entries.length]) told.push(...(await live(log, until)));
    expect(told).toEqual(expected);
    await log.close();
  }
});

it("a re-price of the last hour and of last month is no incident: each correction counts as the difference it makes", async () => {
  const calm: WatchedEntry[] = [];
  const past: UsageRecord[] = [];
  for (let minute = 0; minute < 60; minute++) {
    for (let call = 0; call < 10; call++) {
      const atMs = startMs + minute * minuteMs + call * 6000;
      const one = record(atMs, 0.1 * (1 + 0.1 * Math.sin(minute)));
      calm.push({ arrivedAtMs: atMs, records: [one] });
      if (minute < 59) past.push(one);
    }
  }
  const dearer = [
    ...past,
    record(startMs - 30 * 86_400_000, 5),
    record(startMs - 30 * 86_400_000, 5, "silent for a month"),
  ];
  const corrections = dearer.flatMap((one): UsageRecord[] => {
    const [costNanoUsd, repriced] = [one.costNanoUsd ?? 0, { revision: 1, repricings: 1 }];
    const takenBack = {
      ...one,
      ...repriced,
      usage: { ...noUsage, input: -100 },
      calls: -1,
      costNanoUsd: -costNanoUsd,
    } as const;
    return [takenBack, { ...one, ...repriced, costNanoUsd: 3 * costNanoUsd }];
  });
  const entries = [...calm, { arrivedAtMs: startMs + 60 * minuteMs - 1, records: corrections }];
  for (let tick = 1; tick <= 5; tick++) entries.push({ arrivedAtMs: startMs + (60 + tick) * minuteMs, records: [] });
  const log = await logOf(entries);
  expect(await live(log, entries.length)).toEqual([]);
  await log.close();
});
