/** What judges the entries of one stage of a cluster's detectors: claims come out, and of the first stage sums. */

import { deserialize, serialize } from "node:v8";
import { detectors } from "../../detectors/detectors.ts";
import { defaultBudget } from "./alert-budget.ts";
import { Claimant, type SavedClaimant } from "./claimant.ts";
import { deltasOf } from "./deltas.ts";
import { differences } from "./differences.ts";
import type { RaisedClaim } from "./incidents.ts";
import { type JudgeOptions, type OpenJudge, readable, type UnreadableEntry, type WatchedEntry } from "./judge.ts";
import { runsIn, type Stage } from "./stages.ts";

/** What is told of one entry, also of one in which nothing is unusual. */
export interface Claimed {
  /** When the entry arrived. */
  readonly atMs: number;
  readonly claims: readonly RaisedClaim[];
  /** For the next stage, encoded; null of the last. */
  readonly deltas: Uint8Array | null;
  /** What no version can have written: of sums it is to be put aside, of records their writer does that. */
  readonly unreadable: UnreadableEntry | null;
}

export interface ClaimOptions extends JudgeOptions {
  readonly stage: Stage;
  /** Among which the series of this stage are divided: each of them may raise its share of false alarms. */
  readonly partitions: number;
}

export interface EntryCodec {
  readonly decode: (payload: Uint8Array) => WatchedEntry;
  readonly encode: (entry: WatchedEntry) => Uint8Array;
}

interface Saved extends SavedClaimant {
  /** Snapshots of older versions do not have it. */
  readonly measured?: readonly string[];
}

/** More than are told of at once; beyond them, the one that was silent longest is summed with all others again. */
const instancesMax = 10_000;

/** Instances whose energy is measured, those heard of last at the end. */
class MeasuredInstances {
  readonly #names: Set<string>;

  constructor(saved: readonly string[] = []) {
    this.#names = new Set(saved);
  }

  has(instance: string): boolean {
    return this.#names.has(instance);
  }

  heard(instance: string): void {
    this.#names.delete(instance);
    this.#names.add(instance);
    if (this.#names.size <= instancesMax) return;
    for (const silent of this.#names) {
      this.#names.delete(silent);
      break;
    }
  }

  names(): readonly string[] {
    return [...this.#names];
  }
}

/** A judge in this thread. */
export function claimHere(options: ClaimOptions, { decode, encode }: EntryCodec): OpenJudge<Claimed> {
  const { choices, seriesMax, stage, partitions } = options;
  const budget = {
    ...defaultBudget,
    pagesPerWeek: defaultBudget.pagesPerWeek / partitions,
    ticketsPerWeek: defaultBudget.ticketsPerWeek / partitions,
  };
  return (snapshot) => {
    const saved = snapshot === undefined ? undefined : (deserialize(snapshot) as Saved);
    const limits = { seriesMax, passingMax: seriesMax };
    const claimant = new Claimant({ detectors, choices, limits, budget, runs: runsIn(stage) }, saved);
    const instances = new MeasuredInstances(saved?.measured);
    const judgeEntry = ({ arrivedAtMs, records: all, relearnt = [], readings = [] }: WatchedEntry): Claimed => {
      for (const name of relearnt) claimant.accept(name);
      const records = differences(all);
      const claims = readings.flatMap((reading) => claimant.measure(reading, arrivedAtMs));
      for (const { instance } of readings) instances.heard(instance);
      if (all.length === 0) claims.push(...claimant.tick(arrivedAtMs));
      for (const record of records) for (const claim of claimant.observe(record, arrivedAtMs)) claims.push(claim);
      const sums = () => deltasOf(records, arrivedAtMs, (instance) => instances.has(instance));
      const deltas = stage === "parts" ? encode({ arrivedAtMs, records: sums() }) : null;
      return { atMs: arrivedAtMs, claims, deltas, unreadable: null };
    };
    const judgeReadable = (payload: Uint8Array): Claimed =>
      readable(
        payload,
        () => judgeEntry(decode(payload)),
        (unreadable) => ({ atMs: 0, claims: [], deltas: null, unreadable }),
      );
    return {
      judge: async (entries) => entries.map(({ payload }) => [judgeReadable(payload)]),
      snapshot: async () => serialize({ ...claimant.saved(), measured: instances.names() } satisfies Saved),
      seriesCount: () => claimant.seriesCount,
      close: async () => {},
    };
  };
}
