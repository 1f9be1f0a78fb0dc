/** Plays a scenario and judges it. */

import { identityKey } from "../../src/event-log/usage-log.ts";
import { seededRandom } from "../../src/ingest/otlp-random.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import { Ledger, type StoredSpan } from "../chaos/ledger.ts";
import { sendLoad } from "./exporters.ts";
import type { Scenario } from "./scenarios.ts";
import { addTo, type SimulatedStore } from "./store.ts";
import type { VirtualTime } from "./virtual-time.ts";
import { identities, rowsMax, World } from "./world.ts";

export interface Played {
  readonly name: string;
  readonly seed: number;
  readonly acked: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly rollups: number;
  readonly deaths: number;
  /** Simulated. */
  readonly hours: number;
  /** What grew beyond its bound, and examples of what is wrong. */
  readonly faults: readonly string[];
}

const playedWithinMs = 100 * 3_600_000;
/** What waits to be quiet is decided, and what comes of it is written. */
const quietMs = 120_000;
const settledWithinMs = 3_600_000;

export async function play(
  scenario: Scenario,
  time: VirtualTime,
  { seed, scale }: { seed: number; scale: number },
): Promise<Played> {
  const startedAtMs = time.nowMs;
  const world = new World({ seed, time });
  const ledger = new Ledger();
  const spans = Math.round(scenario.spans * scale);
  const playing = (async () => {
    await world.createTopics();
    await scenario.play({
      world,
      ledger,
      time,
      random: seededRandom(seed + 1),
      spans,
      load: (options) => sendLoad({ world, ledger, seed: seed + 2, ...options }),
    });
    await world.settled(settledWithinMs);
    await new Promise((done) => setTimeout(done, quietMs));
    await world.settled(settledWithinMs);
  })();
  try {
    await time.until(playing, playedWithinMs);
  } finally {
    for (const process of [...world.processes]) process.dead = true;
  }
  const { lost, doubled, wrongCost, foreign, examples } = ledger.faults(storedSpans(world.store.rows));
  const rollups = rollupDifferences(world.store);
  const bounds = [
    [world.peaks.rowsOfBatch, 2 * rowsMax, "rows of a batch"],
    [world.peaks.tracesHeld, 50_000, "traces held"],
    [world.peaks.wrappersHeld, 200_000, "wrappers kept"],
    [world.peaks.spansKnown, identities.entriesMax, "spans known"],
  ] as const;
  const grown = bounds.flatMap(([peak, most, what]) => (peak > most ? [`${what}: ${peak}, at most ${most}`] : []));
  return {
    name: scenario.name,
    seed,
    acked: ledger.ackedSpans(),
    lost,
    doubled,
    wrong: wrongCost + foreign,
    rollups,
    deaths: world.kills.count,
    hours: (time.nowMs - startedAtMs) / 3_600_000,
    faults: [...examples, ...grown],
  };
}

/** Every row, but those that cancel out: what was taken back since it was corrected, or since another span wraps it. */
function storedSpans(rows: readonly UsageRecord[]): StoredSpan[] {
  const calls = new Map<string, { readonly span: StoredSpan; count: number }>();
  for (const row of rows) {
    const { tenant, traceId, spanId, costNanoUsd } = row;
    const costUsd = costNanoUsd === null ? "null" : dollars(Math.abs(costNanoUsd));
    const key = `${identityKey(row)} ${costUsd}`;
    const known = calls.get(key) ?? { span: { identity: `${tenant} ${traceId} ${spanId}`, costUsd }, count: 0 };
    known.count += row.calls;
    calls.set(key, known);
  }
  // What was taken back and never billed is as wrong as what is billed twice.
  return [...calls.values()].flatMap(({ span, count }) => Array.from({ length: Math.abs(count) }, () => span));
}

function dollars(nanoUsd: number): string {
  const digits = String(nanoUsd).padStart(10, "0");
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

function rollupDifferences({ rows, rollup }: SimulatedStore): number {
  const sums = new Map<string, { calls: number; nanoUsd: number }>();
  for (const row of rows) addTo(sums, row);
  const differs = ([key, { calls, nanoUsd }]: readonly [string, { calls: number; nanoUsd: number }]) =>
    rollup.get(key)?.calls !== calls || rollup.get(key)?.nanoUsd !== nanoUsd;
  return [...sums].filter(differs).length + Math.max(0, rollup.size - sums.size);
}
