/**
 * Takes decoded metrics into the store: durable before the answer. Requests that come together share an insert. On one
 * machine there is no log before it: rows are keyed by series and time, so that a repeat, which any failure makes the producer send,
 * replaces itself.
 */

import type { DiskSpace } from "../../event-log/disk-space.ts";
import type { EnergyReading } from "../../model/energy-reading.ts";
import type { Store } from "../../store/store.ts";
import type { AcceptOutcome } from "../accept-outcome.ts";
import type { DecodedMetrics, MetricPoint, RejectedPoint } from "./decoded-metrics.ts";
import { EnergyReadings } from "./energy-readings.ts";
import { metricRows, type StreamTotal, type StreamTotals } from "./metric-rows.ts";
import { SeriesLimits, type SeriesMax } from "./series-limits.ts";
import { readStreamTotals } from "./stream-totals.ts";
import { untimely } from "./untimely.ts";

export interface MetricAcceptorOptions {
  readonly store: Pick<Store, "insertMetrics" | "query">;
  /** Takes measured energy into the log that detectors read. Resolves when it is durable. */
  readonly logEnergy: (readings: readonly EnergyReading[]) => Promise<void>;
  readonly space: Pick<DiskSpace, "shortage">;
  readonly now: () => number;
  /** Points older than this are refused: their rows would expire at once. */
  readonly oldestMs: number;
  readonly seriesMax: SeriesMax;
  /** Points that wait to be stored, beyond which producers are told to come again. */
  readonly pendingPointsMax: number;
  /** How long the first of a group waits for others. */
  readonly lingerMs: number;
}

interface Waiting {
  readonly points: readonly MetricPoint[];
  readonly done: (outcome: AcceptOutcome) => void;
}

/** Space comes back by hand: there is no hurry. */
const shortageSeconds = 10;
/** A stream that was silent for longer begins as if it were new. */
const streamsKnownMs = 86_400_000;

export class MetricAcceptor {
  readonly #options: MetricAcceptorOptions;
  readonly #limits: SeriesLimits;
  #waiting: Waiting[] = [];
  #pendingPoints = 0;
  #running: Promise<void> | undefined;
  #stopping = false;
  readonly #energy = new EnergyReadings();
  /** Undefined until it is read from the table, and again after an insert that may or may not have happened. */
  #totals: Totals | undefined;

  constructor(options: MetricAcceptorOptions) {
    this.#options = options;
    this.#limits = new SeriesLimits(options.seriesMax);
  }

  /** Resolves when the points are on disk, or must be sent again. */
  async accept(decoded: DecodedMetrics): Promise<AcceptOutcome> {
    const nowMs = this.#options.now();
    const rejected: RejectedPoint[] = [];
    const points = decoded.points.filter((point) => {
      const reason = untimely(point, nowMs, this.#options.oldestMs) ?? this.#limits.refuses(point, nowMs);
      if (reason !== undefined) rejected.push({ index: point.index, reason });
      return reason === undefined;
    });
    if (points.length === 0) return { kind: "accepted", rejected };
    if (this.#pendingPoints > 0 && this.#pendingPoints + points.length > this.#options.pendingPointsMax)
      return { kind: "overloaded", retryAfterSeconds: 1 };
    const shortage = this.#options.space.shortage();
    if (shortage !== null) {
      const message = `${shortage}; free some, and metrics are taken again without a restart`;
      return { kind: "unavailable", retryAfterSeconds: shortageSeconds, message };
    }
    this.#pendingPoints += points.length;
    const outcome = await new Promise<AcceptOutcome>((done) => {
      this.#waiting.push({ points, done });
      this.#running ??= this.#run();
    });
    this.#pendingPoints -= points.length;
    return outcome.kind === "accepted" ? { kind: "accepted", rejected } : outcome;
  }

  /** Series heard of lately. */
  series(): number {
    return this.#limits.series();
  }

  /** Stores what waits, without lingering. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (!this.#stopping) await new Promise((resolve) => setTimeout(resolve, this.#options.lingerMs));
      const group = this.#waiting;
      this.#waiting = [];
      const outcome = await this.#store(group.flatMap(({ points }) => points));
      for (const { done } of group) done(outcome);
    }
    this.#running = undefined;
  }

  async #store(points: readonly MetricPoint[]): Promise<AcceptOutcome> {
    const { store, logEnergy, now, seriesMax } = this.#options;
    try {
      const nowUs = now() * 1000;
      const { series } = seriesMax;
      this.#totals ??= new Totals(await readStreamTotals(store, nowUs - streamsKnownMs * 1000, series), series);
      const rows = metricRows(points, this.#totals, nowUs);
      await store.insertMetrics(rows);
      // After the rows, whose repeat says nothing new: where this fails, these joules are missing and none count twice.
      const readings = this.#energy.of(rows.points);
      if (readings.length > 0) await logEnergy(readings);
      return { kind: "accepted", rejected: [] };
    } catch (error) {
      this.#totals = undefined;
      return { kind: "unavailable", retryAfterSeconds: 5, message: `store of metrics: ${(error as Error).message}` };
    }
  }
}

/** The newest totals of streams; beyond the limit the one that was silent longest is forgotten. */
class Totals implements StreamTotals {
  readonly #max: number;
  readonly #totals: Map<string, StreamTotal>;

  constructor(known: readonly (readonly [string, StreamTotal])[], max: number) {
    this.#totals = new Map(known);
    this.#max = max;
  }

  get(stream: string): StreamTotal | undefined {
    return this.#totals.get(stream);
  }

  set(stream: string, total: StreamTotal): void {
    this.#totals.delete(stream);
    this.#totals.set(stream, total);
    if (this.#totals.size <= this.#max) return;
    for (const silent of this.#totals.keys()) {
      this.#totals.delete(silent);
      break;
    }
  }
}
