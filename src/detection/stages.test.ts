/** Detectors divided as in a cluster, against one of all: the same incidents, and sums that lose nothing. */

import { describe, expect, it } from "vitest";
import { detectors } from "../../detectors/detectors.ts";
import { seededRandom, usageRecord } from "../../detectors/observation-samples.ts";
import type { Finding } from "../model/finding.ts";
import { noUsage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { type Arrival, arrivalsOf, backtest, opened } from "./backtest.ts";
import { type Claimed, claimHere } from "./claim-judge.ts";
import { deltasOf } from "./deltas.ts";
import { encodeClaims, foldClaims } from "./fold-claims.ts";
import type { WatchedEntry } from "./judge.ts";
import { tieBreakOf } from "./observation-of.ts";
import { runsIn } from "./stages.ts";

const minuteMs = 60_000;
const startMs = Date.UTC(2026, 0, 5, 9);
const onsetMs = startMs + 75 * minuteMs;
const endMs = startMs + 90 * minuteMs;
const seriesMax = 1000;
const codec = {
  encode: (entry: WatchedEntry): Uint8Array => Buffer.from(JSON.stringify(entry)),
  decode: (payload: Uint8Array) => JSON.parse(Buffer.from(payload).toString()) as WatchedEntry,
};

/**
 * Three tenants of three features with two models each. From the onset on inputs of `a0` are eight times as long, answers of
 * `b1` four times, half of the calls of `b2` fail, `c0` is called six times as often, and `c1` falls silent.
 */
function traffic(): UsageRecord[] {
  const random = seededRandom(5);
  const records: UsageRecord[] = [];
  for (const tenant of ["a", "b", "c"]) {
    for (const [index, feature] of ["0", "1", "2"].map((number) => `${tenant}${number}`).entries()) {
      const everyMs = minuteMs / (12 + 4 * index);
      for (let atMs = startMs; atMs < endMs; ) {
        const bad = atMs >= onsetMs;
        atMs += (everyMs * (0.5 + random())) / (bad && feature === "c0" ? 6 : 1);
        if (bad && feature === "c1") continue;
        const wide = () => Math.exp(1.2 * (random() + random() + random() - 1.5));
        const input = Math.round(3000 * wide()) * (bad && feature === "a0" ? 8 : 1);
        const output = Math.round(300 * wide()) * (bad && feature === "b1" ? 4 : 1);
        const values: Partial<UsageRecord> = {
          ...{ tenant, feature, model: random() < 0.5 ? "gpt-4o" : "gpt-4o-mini" },
          ...{ startUs: Math.round(atMs * 1000), endUs: Math.round(atMs * 1000) },
          usage: { ...noUsage, input, output },
          costNanoUsd: input * 2500 + output * 10_000,
          status: bad && feature === "b2" && random() < 0.5 ? "error" : "ok",
        };
        records.push(usageRecord(values, records.length));
      }
    }
  }
  return records.sort((a, b) => a.endUs - b.endUs);
}

/** Entries of a second each, and a tick each second, as resolvers write them; what arrives goes on half an hour. */
function entriesOf(arrivals: readonly Arrival[], partitions: number, partition: number): WatchedEntry[] {
  const own = arrivals.filter(
    ({ record }) => Math.floor(tieBreakOf(record.tenant, record.feature) * partitions) === partition,
  );
  const bySecond = Map.groupBy(own, ({ arrivedAtMs }) => Math.ceil(arrivedAtMs / 1000));
  const entries: WatchedEntry[] = [];
  for (let second = startMs / 1000; second <= endMs / 1000 + 1800; second++) {
    const records = (bySecond.get(second) ?? []).map(({ record }) => record);
    if (records.length > 0) entries.push({ arrivedAtMs: second * 1000, records });
    entries.push({ arrivedAtMs: second * 1000, records: [] });
  }
  return entries;
}

/** What stages tell, in the order of its time; `lateMs` is how far partition 0 is behind the others. */
async function cluster(arrivals: readonly Arrival[], partitions: number, lateMs = 0): Promise<readonly Finding[]> {
  const judge = (stage: "parts" | "wholes", among: number, entries: readonly Uint8Array[]) =>
    claimHere(
      { choices: {}, seriesMax, stage, partitions: among },
      codec,
    )(undefined)
      .judge(entries.map((payload, index) => ({ offset: index + 1, payload })))
      .then((told) => told.flat());
  const parts: (Claimed & { readonly comesMs: number })[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const entries = entriesOf(arrivals, partitions, partition).map(codec.encode);
    const late = partition === 0 ? lateMs : 0;
    for (const claimed of await judge("parts", partitions, entries))
      parts.push({ ...claimed, comesMs: claimed.atMs + late });
  }
  parts.sort((a, b) => a.comesMs - b.comesMs);
  const wholes = await judge(
    "wholes",
    1,
    parts.map(({ deltas }) => deltas ?? new Uint8Array()),
  );
  const claims = parts.flatMap((part, index) => [part, wholes[index] ?? part]);
  const told = await foldClaims(undefined).judge(
    claims.map(({ atMs, claims: said }, index) => ({ offset: index + 1, payload: encodeClaims(atMs, said) })),
  );
  return opened(told.flat().flatMap(({ findings }) => findings));
}

const arrivals = [...arrivalsOf(traffic())];
const named = ({ series }: Finding) => `${series.tenant} ${series.feature}`;
const kinds = (findings: readonly Finding[]) => new Map(findings.map((finding) => [named(finding), finding]));
const whole = opened([...backtest(arrivals, { detectors, choices: {}, seriesMax })]);

it("has every detector in one stage with all of its scopes, those that only sum in the second", () => {
  const wholes = detectors.filter(runsIn("wholes")).map(({ name }) => name);
  expect(wholes).toEqual(["spend", "request-rate", "gone-quiet", "energy", "price-drift"]);
  for (const detector of detectors) expect(runsIn("parts")(detector)).toBe(!wholes.includes(detector.name));
});

describe("the same incidents", () => {
  it("finds each on one machine", () => {
    expect(new Set(whole.map(named))).toEqual(new Set(["a a0", "b b1", "b b2", "c c0", "c c1"]));
  });

  it.each([1, 4])("on %s partitions in two stages as on one machine, onsets within two minutes", async (partitions) => {
    const found = await cluster(arrivals, partitions);
    expect(new Set(found.map(named))).toEqual(new Set(whole.map(named)));
    const others = kinds(found);
    for (const [name, { onsetMs: onset, atMs }] of kinds(whole)) {
      expect(Math.abs((others.get(name)?.onsetMs ?? 0) - onset), name).toBeLessThanOrEqual(2 * minuteMs);
      expect(Math.abs((others.get(name)?.atMs ?? 0) - atMs), name).toBeLessThanOrEqual(4 * minuteMs);
    }
  });

  it("where one of the four is twenty seconds behind the others", async () => {
    const found = await cluster(arrivals, 4, 20_000);
    expect(new Set(found.map(named))).toEqual(new Set(whole.map(named)));
  });
});

it("pages a burst of dear calls at once, be it told as single calls or as one sum that holds all of it", async () => {
  const call = (atMs: number, usd: number, index: number) =>
    usageRecord(
      { tenant: "d", feature: "d0", startUs: atMs * 1000, endUs: atMs * 1000, costNanoUsd: usd * 1_000_000_000 },
      index,
    );
  const calm = Array.from({ length: 75 }, (_, minute) => call(startMs + minute * minuteMs, 1, minute));
  const burst = Array.from({ length: 1000 }, (_, index) => call(onsetMs + 5000, 50, calm.length + index));
  const arrived = [...arrivalsOf([...calm, ...burst])];
  const single = opened([...backtest(arrived, { detectors, choices: {}, seriesMax })]);
  for (const found of [single, await cluster(arrived, 4)]) {
    expect(found.map(({ severity }) => severity)).toEqual(["page"]);
    // A page about a whole waits a minute for its parts.
    expect((found[0]?.atMs ?? 0) - onsetMs).toBeLessThanOrEqual(70_000);
  }
});

it("holds an instance's tokens against its joules, though its calls are spread over partitions", async () => {
  const [hours, partitions] = [13, 4];
  const nowOf = (minute: number) => startMs + (minute + 1) * minuteMs;
  const minutes = Array.from({ length: hours * 60 }, (_, minute) => minute);
  const told = (minute: number): WatchedEntry => {
    const joules = 54_000 * (minute < 600 ? 1 : 1.4) * (minute % 2 === 0 ? 0.98 : 1.02);
    const span = { fromUs: (nowOf(minute) - minuteMs) * 1000, toUs: nowOf(minute) * 1000 };
    const readings = [
      { instance: "gpu-1", ...span, joules },
      { instance: "gpu-2", ...span, joules: 54_000 },
    ];
    return { arrivedAtMs: nowOf(minute), records: [], readings };
  };
  const called = (minute: number, partition: number): WatchedEntry => {
    const endUs = (nowOf(minute) - 1) * 1000;
    const records = ["gpu-1", "gpu-2", "app"].map((instance, index) => {
      const usage = { ...noUsage, input: 20_000 / partitions, output: 40_000 / partitions };
      const feature = `feature-${partition}`;
      const values = { instance, feature, startUs: endUs - 900_000, endUs, usage, costNanoUsd: 250_000 };
      return usageRecord(values, (3 * minute + index) * partitions + partition);
    });
    return { arrivedAtMs: nowOf(minute), records };
  };
  const judge = async (stage: "parts" | "wholes", entries: readonly Uint8Array[]) => {
    const open = claimHere({ choices: {}, seriesMax, stage, partitions: stage === "parts" ? partitions : 1 }, codec);
    // Whoever takes over in the middle knows who is measured.
    const half = entries.length >> 1;
    const before = open(undefined);
    const number = (payload: Uint8Array, index: number) => ({ offset: index + 1, payload });
    const first = await before.judge(entries.slice(0, half).map(number));
    const second = await open(await before.snapshot()).judge(entries.slice(half).map(number));
    return [...first, ...second].flat();
  };
  const deltas: { atMs: number; payload: Uint8Array }[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const entries = minutes.flatMap((minute) => [told(minute), called(minute, partition)].map(codec.encode));
    for (const { atMs, deltas: payload } of await judge("parts", entries))
      deltas.push({ atMs, payload: payload ?? new Uint8Array() });
  }
  const readings = minutes.map((minute) => ({ atMs: nowOf(minute), payload: codec.encode(told(minute)) }));
  const inOrder = [...readings, ...deltas].sort((a, b) => a.atMs - b.atMs);
  const claims = (
    await judge(
      "wholes",
      inOrder.map(({ payload }) => payload),
    )
  ).flatMap((one) => one.claims);
  const energy = claims.filter(({ detector }) => detector === "energy");
  expect(new Set(energy.map(({ series }) => series.instance))).toEqual(new Set(["gpu-1"]));
  expect(energy[0]?.onsetMs).toBeGreaterThanOrEqual(nowOf(590));
  expect(energy[0]?.onsetMs).toBeLessThanOrEqual(nowOf(615));
});

describe("sums", () => {
  const at = (secondsUs: number) => ({ startUs: startMs * 1000, endUs: startMs * 1000 + secondsUs * 1e6 });
  const sumsOf = (records: readonly UsageRecord[]) => deltasOf(records, endMs, () => false);

  it("keep tokens, calls and dollars, by minute and series, and nothing of who called", () => {
    const usage = { ...noUsage, input: 10, output: 5 };
    const [first, second, ...more] = sumsOf([
      usageRecord({ ...at(70), usage, costNanoUsd: 7, user: "ann", run: "r" }, 1),
      usageRecord({ ...at(5), usage, costNanoUsd: 3 }, 2),
      usageRecord({ ...at(59), usage, costNanoUsd: 4 }, 3),
    ]);
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      calls: 2,
      costNanoUsd: 7,
      usage: { input: 20, output: 10 },
      ...{ endUs: at(59).endUs },
    });
    expect(second).toMatchObject({ calls: 1, costNanoUsd: 7, user: "", run: "", endUs: at(70).endUs });
  });

  it("keep apart what is unpriced, taken back, corrected or reported", () => {
    const records = [
      usageRecord({ ...at(1), costNanoUsd: null, costStatus: "unpriced_model" }, 1),
      usageRecord({ ...at(1), calls: -1, costNanoUsd: -5 }, 2),
      usageRecord({ ...at(1), calls: 0, revision: 2, costNanoUsd: 4 }, 3),
      usageRecord({ ...at(1), costNanoUsd: 6, reportedNanoUsd: 8 }, 4),
      usageRecord({ ...at(1), costNanoUsd: 6 }, 5),
    ];
    const said = sumsOf(records).map(({ calls, costNanoUsd, revision, reportedNanoUsd }) => [
      calls,
      costNanoUsd,
      revision,
      reportedNanoUsd,
    ]);
    expect(said).toEqual([
      [1, null, 0, null],
      [-1, -5, 0, null],
      [0, 4, 1, null],
      [1, 6, 0, 8],
      [1, 6, 0, null],
    ]);
  });

  it("are dated by their arrival where a clock runs ahead, as single calls are", () => {
    const [sum] = deltasOf([usageRecord({ startUs: endMs * 2000, endUs: endMs * 2000 }, 1)], endMs, () => false);
    expect(sum?.endUs).toBe(endMs * 1000);
  });
});
