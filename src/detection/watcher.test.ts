import { describe, expect, it } from "vitest";
import { detectors } from "../../detectors/detectors.ts";
import { seededRandom, usageRecord } from "../../detectors/observation-samples.ts";
import type { Finding } from "../model/finding.ts";
import { noUsage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { type Arrival, arrivalsOf, backtest, opened } from "./backtest.ts";
import { tieBreakOf } from "./observation-of.ts";
import { Watcher } from "./watcher.ts";

const minuteMs = 60_000;
const startMs = Date.UTC(2026, 0, 5, 9);
const features = 8;
const onsetMs = startMs + 45 * minuteMs;
const endMs = startMs + 60 * minuteMs;
/** Features 0 and 3 have inputs eight times as long, feature 5 answers four times as long, and feature 6 fails. */
const wrong = new Set(["feature-0", "feature-3", "feature-5", "feature-6"]);

/** An hour of eight features with ten to forty calls a minute each. */
function hour(): UsageRecord[] {
  const random = seededRandom(21);
  const records: UsageRecord[] = [];
  for (let feature = 0; feature < features; feature++) {
    const everyMs = minuteMs / (10 + 4 * feature);
    for (let atMs = startMs; atMs < endMs; atMs += everyMs * (0.5 + random())) {
      const name = `feature-${feature}`;
      const bad = atMs >= onsetMs && wrong.has(name);
      const wide = () => Math.exp(1.2 * (random() + random() + random() - 1.5));
      const input = Math.round(3000 * wide()) * (bad && feature < 5 ? 8 : 1);
      const output = Math.round(300 * wide()) * (bad && feature === 5 ? 4 : 1);
      const failed = bad && feature === 6 && random() < 0.5;
      const values: Partial<UsageRecord> = {
        // A tenant each: what happens to several features of one tenant at once is one incident.
        tenant: `tenant-${feature}`,
        feature: name,
        startUs: atMs * 1000,
        endUs: atMs * 1000,
        usage: { ...noUsage, input, output },
        costNanoUsd: input * 2500 + output * 10_000,
        status: failed ? "error" : "ok",
      };
      records.push(usageRecord(values, records.length));
    }
  }
  return records.sort((a, b) => a.endUs - b.endUs);
}

const options = { detectors, choices: {}, seriesMax: 1000 };

function incidentsOf(arrivals: Iterable<Arrival>): readonly Finding[] {
  return opened([...backtest(arrivals, options)]).filter(({ series }) => series.feature !== undefined);
}

const named = ({ kind, series }: Finding) => `${kind} ${series.feature}${series.model === undefined ? "" : " model"}`;
const whole = incidentsOf(arrivalsOf(hour()));

/** Largest difference of onsets, and of when it was told, over incidents that both have. */
function margins(others: readonly Finding[]): { readonly onsetMs: number; readonly atMs: number } {
  const byName = new Map(others.map((finding) => [named(finding), finding]));
  const most = (of: (finding: Finding) => number) =>
    Math.max(...whole.map((finding) => Math.abs(of(finding) - of(byName.get(named(finding)) ?? finding))));
  return { onsetMs: most((finding) => finding.onsetMs), atMs: most((finding) => finding.atMs) };
}

it("finds each feature's incident once, and nothing in the others", () => {
  expect(new Set(whole.map(({ series }) => series.feature))).toEqual(wrong);
  expect(whole).toHaveLength(wrong.size);
});

describe("the same incidents", () => {
  it("on four partitions by tenant and feature as on one: to the millisecond", ({ annotate }) => {
    const partitions: UsageRecord[][] = [[], [], [], []];
    for (const record of hour()) partitions[Math.floor(tieBreakOf(record.tenant, record.feature) * 4)]?.push(record);
    const parts = partitions.flatMap((records) => incidentsOf(arrivalsOf(records)));
    expect(new Set(parts.map(named))).toEqual(new Set(whole.map(named)));
    const { onsetMs: onset, atMs } = margins(parts);
    void annotate(`onset within ${onset} ms, told within ${atMs} ms`);
    expect(onset).toBeLessThanOrEqual(minuteMs);
    expect(atMs).toBeLessThanOrEqual(2 * minuteMs);
  });

  it.each([1, 5, 20])("under arrival jitter of %s s on average: onsets within two minutes", (seconds) => {
    const random = seededRandom(seconds);
    const arrivals = hour()
      .map((record) => ({ record, arrivedAtMs: record.endUs / 1000 - seconds * 1000 * Math.log(1 - random()) }))
      .sort((a, b) => a.arrivedAtMs - b.arrivedAtMs);
    const jittered = incidentsOf(arrivals);
    expect(new Set(jittered.map(({ series }) => series.feature))).toEqual(wrong);
    expect(margins(jittered).onsetMs).toBeLessThanOrEqual(2 * minuteMs);
    expect(margins(jittered).atMs).toBeLessThanOrEqual(4 * minuteMs);
  });
});

it("says the same wherever its snapshot was taken", () => {
  const records = hour();
  const said = (restartAt: readonly number[]) => {
    let watcher = new Watcher({ detectors, choices: {}, limits: { seriesMax: 1000, passingMax: 1000 } });
    const findings: Finding[] = [];
    for (const [index, record] of records.entries()) {
      if (restartAt.includes(index)) {
        watcher = new Watcher(
          { detectors, choices: {}, limits: { seriesMax: 1000, passingMax: 1000 } },
          watcher.snapshot(),
        );
      }
      findings.push(...watcher.observe(record, record.endUs / 1000));
      if (index % 50 === 0) findings.push(...watcher.tick(record.endUs / 1000));
    }
    return findings;
  };
  const expected = said([]);
  expect(expected.length).toBeGreaterThan(0);
  const incidentAt = records.findIndex(({ endUs }) => endUs / 1000 > onsetMs);
  expect(said([1, incidentAt + 5, incidentAt + 100, records.length - 1])).toEqual(expected);
});

it("reads a snapshot under another list of detectors: each finds its own state, in whatever order they run", () => {
  const limits = { seriesMax: 1000, passingMax: 1000 };
  const others = detectors.filter(({ name }) => name !== "token-shift").toReversed();
  const records = hour();
  const before = new Watcher({ detectors, choices: {}, limits });
  const told: Finding[] = [];
  let after: Watcher | undefined;
  for (const record of records) {
    const atMs = record.endUs / 1000;
    if (atMs >= onsetMs) after ??= new Watcher({ detectors: others, choices: {}, limits }, before.snapshot());
    told.push(...(after ?? before).observe(record, atMs));
  }
  for (let minute = 1; minute < 30; minute++) told.push(...(after?.tick(endMs + minute * minuteMs) ?? []));
  expect(new Set(opened(told).map(({ series }) => series.feature))).toEqual(wrong);
  expect(told.some(({ detector }) => detector === "token-shift")).toBe(false);
});

it("stays bounded under a flood of new series, and keeps the large one with its incident", { timeout: 60_000 }, () => {
  const seriesMax = 2000;
  const watcher = new Watcher({ detectors, choices: {}, limits: { seriesMax, passingMax: 1000 } });
  const told: Finding[] = [];
  const spendOf = (values: Partial<UsageRecord>, atMs: number, index: number) =>
    told.push(...watcher.observe(usageRecord({ endUs: atMs * 1000, startUs: atMs * 1000, ...values }, index), atMs));
  for (let minute = 0; minute < 31; minute++) {
    const usd = minute === 30 ? 50 : 1;
    const atMs = startMs + minute * minuteMs;
    for (let call = 0; call < 10; call++) spendOf({ costNanoUsd: usd * 1e8 }, atMs + call * 1000, minute * 10 + call);
    if (minute !== 25) continue;
    for (let index = 0; index < 15_000; index++) {
      spendOf({ tenant: `t${index % 900}`, feature: `f${index}`, costNanoUsd: 1000 }, atMs + 10_000, 10_000 + index);
    }
    expect(watcher.seriesCount).toBeLessThanOrEqual(seriesMax + 1);
  }
  expect(told.filter(({ severity }) => severity === "page").map(({ series }) => series)).toEqual([
    { tenant: "acme", feature: "search" },
  ]);
});

it("pages a run that goes in circles by its name, within ten of its calls, and takes its feature's spend along", () => {
  const watcher = new Watcher({ detectors, choices: {}, limits: { seriesMax: 1000, passingMax: 1000 } });
  const told: Finding[] = [];
  const circling = {
    run: "nightly",
    tool: "search",
    toolArgsHash: "same",
    costNanoUsd: 2e7,
  };
  for (let call = 0; call < 300; call++) {
    const usual = { run: `run ${call}`, tool: "search", toolArgsHash: `${call}`, costNanoUsd: 1e6 };
    for (const [index, values] of [usual, ...(call < 200 ? [] : [circling])].entries()) {
      const atMs = startMs + call * 6000 + index * 10;
      const record = usageRecord({ startUs: atMs * 1000, endUs: atMs * 1000, ...values }, 2 * call + index);
      told.push(...watcher.tick(atMs), ...watcher.observe(record, atMs));
    }
  }
  expect(told[0]).toMatchObject({ kind: "runaway_run", series: { tenant: "acme", feature: "search", run: "nightly" } });
  expect(told[0]?.atMs).toBeLessThanOrEqual(startMs + 210 * 6000);
  expect(new Set(told.filter(({ severity }) => severity === "page").map(({ kind }) => kind))).toEqual(
    new Set(["runaway_run"]),
  );
});

it("refuses a detector, a scope or a setting that there is not, by the nearest name", () => {
  const limits = { seriesMax: 10, passingMax: 10 };
  expect(() => new Watcher({ detectors, choices: { spent: {} }, limits })).toThrow(/detectors\.spent: .*spend\?/);
  const setting = { spend: { settings: { excess_usd_per_min: 1 } } };
  expect(() => new Watcher({ detectors, choices: setting, limits })).toThrow(/excess_usd_per_minute_min/);
});

it("a clock a day ahead ends no window and hides nothing", () => {
  const random = seededRandom(2);
  const skewed = hour().map((record) =>
    random() < 0.02 ? { ...record, endUs: record.endUs + 86_400_000_000 } : record,
  );
  const arrivals = skewed.map((record) => {
    const atMs = record.endUs / 1000;
    return { record, arrivedAtMs: atMs > endMs ? atMs - 86_400_000 : atMs };
  });
  expect(new Set(incidentsOf(arrivals).map(({ series }) => series.feature))).toEqual(wrong);
});

it("judges the energy of an instance from its first reading on, the same when restored between; other series are as without", () => {
  const hours = 14;
  const run = (measures: boolean, restoreAt = -1) => {
    const findings: Finding[] = [];
    const settings = { detectors, choices: {}, limits: { seriesMax: 1000, passingMax: 1000 } };
    let watcher = new Watcher(settings);
    for (let minute = 0; minute < hours * 60; minute++) {
      const fromMs = startMs + minute * minuteMs;
      const nowMs = fromMs + minuteMs;
      if (minute === restoreAt) watcher = new Watcher(settings, watcher.snapshot());
      const joules = 54_000 * (minute < 600 ? 1 : 1.4) * (minute % 2 === 0 ? 0.98 : 1.02);
      for (const instance of measures ? ["gpu-1", "gpu-2"] : []) {
        const used = instance === "gpu-1" ? joules : 54_000;
        findings.push(...watcher.measure({ instance, fromUs: fromMs * 1000, toUs: nowMs * 1000, joules: used }, nowMs));
      }
      for (const [index, instance] of ["gpu-1", "gpu-2", "app"].entries()) {
        const usage = { ...noUsage, input: 20_000, output: 40_000 };
        const values = { instance, startUs: (nowMs - 900) * 1000, endUs: (nowMs - 1) * 1000, usage, costNanoUsd: 1e6 };
        findings.push(...watcher.observe(usageRecord(values, 3 * minute + index), nowMs));
      }
      findings.push(...watcher.tick(nowMs));
    }
    return findings;
  };
  const whole = run(true);
  const energy = whole.filter(({ detector }) => detector === "energy");
  expect(energy.map(({ kind, series, status }) => ({ kind, series, status }))).toEqual(
    energy.map(() => ({ kind: "tokens_per_joule", series: { instance: "gpu-1" }, status: "firing" })),
  );
  expect(energy.length).toBeGreaterThan(0);
  for (const restoreAt of [1, 599, 640]) expect(run(true, restoreAt)).toEqual(whole);
  expect(run(false)).toEqual(whole.filter(({ detector }) => detector !== "energy"));
});

it("tells of prompts that are paid for again as a ticket of their feature", () => {
  const records = Array.from({ length: 600 }, (_, index) => {
    const promptHash = (index % 3 === 0 ? 0x1000 + index : index % 3).toString(16).padStart(16, "0");
    const startUs = (startMs + index * 6000) * 1000;
    const values = {
      promptHash,
      startUs,
      endUs: startUs + 1_000_000,
      costNanoUsd: 1e7,
      usage: { ...noUsage, input: 4000 },
    };
    return usageRecord(values, index + 1);
  });
  const found = opened([...backtest(arrivalsOf(records), options)]).filter(
    ({ detector }) => detector === "duplicate-prompts",
  );
  expect(found).toMatchObject([
    { kind: "duplicate_prompts", severity: "ticket", series: { tenant: "acme", feature: "search" } },
  ]);
});
