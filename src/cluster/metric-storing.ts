/** OTLP metrics of a cluster: each partition's points into ClickHouse, and measured energy to the detectors. */

import { setTimeout } from "node:timers/promises";
import type { Logger } from "pino";
import type { UnreadableEntry } from "../detection/judge.ts";
import type { LogEntry } from "../event-log/event-log.ts";
import type { KafkaMessage } from "../event-log/kafka-client.ts";
import { KafkaStageLog } from "../event-log/kafka-stage-log.ts";
import { groupNames, type KafkaTopics, topicsOf } from "../event-log/kafka-topics.ts";
import type { OwnedPartitions, PartitionWorker } from "../event-log/owned-partitions.ts";
import { CorruptEntry } from "../event-log/unreadable-entry.ts";
import type { Metrics } from "../http/metrics.ts";
import { MetricAcceptor } from "../ingest/metrics/metric-acceptor.ts";
import { decodeMetricEntry, type MetricEntry } from "../ingest/metrics/metric-entry.ts";
import { defaultSeriesMax } from "../ingest/metrics/series-limits.ts";
import { encodeUsageEntry } from "../ingest/usage-codec.ts";
import type { EnergyReading } from "../model/energy-reading.ts";
import type { Store } from "../store/store.ts";
import { failedIn, fetchFailed, layoutOf, measured, now, type PartOptions } from "./parts.ts";
import { saidLately } from "./said-lately.ts";
import { lettersOf } from "./unreadable.ts";

const groupName = groupNames.metrics;
const dayMs = 86_400_000;
const lingerMs = 500;
/** Entries that share an insert. */
const entriesPerInsert = 256;
/** What arrived within such a time is taken to have come at once. */
const togetherMs = 60_000;
const [retryMinMs, retryMaxMs] = [250, 30_000];

/** Metrics topic to ClickHouse, for each partition of it that this process is given. */
export function openMetricStoring(options: PartOptions & { readonly store: Store }): OwnedPartitions {
  const { config, log, client, metrics } = options;
  const topics = topicsOf(layoutOf(config));
  return measured(
    { metrics, log },
    {
      client,
      group: `${config.kafkaPrefix}.${groupName}`,
      topic: topics.metrics,
      open: (partition) => openPartition(options, topics, partition),
      failed: failedIn(groupName, log),
    },
  );
}

async function openPartition(
  options: PartOptions & { readonly store: Store },
  topics: KafkaTopics,
  partition: number,
): Promise<PartitionWorker> {
  const { config, log, client, metrics, store } = options;
  const stageLog = await KafkaStageLog.open({
    client,
    group: `${config.kafkaPrefix}.${groupName}`,
    topic: topics.metrics,
    partition,
    snapshots: topics.snapshots,
    paceNow: null,
    lingerMs,
    fetchFailed: fetchFailed(log),
  });
  const storing = new MetricStoring({
    stageLog,
    store,
    log,
    metrics,
    oldestMs: config.rawRetentionDays * dayMs,
    told: (readings) => readingsIn(readings, topics, config.kafkaPartitions),
    letters: lettersOf(options, stageLog, { topic: topics.metrics, partition }),
  });
  const stopping = new AbortController();
  const running = storing.run(stopping.signal);
  return {
    failed: Promise.race([running, stageLog.failed]),
    async stop() {
      stopping.abort();
      await running.catch(() => undefined);
      await stageLog.close();
    },
  };
}

/** Who sums hears what was measured; who tells sums hears whose are to be told by instance. */
function readingsIn(
  readings: readonly EnergyReading[],
  { usage, deltas }: KafkaTopics,
  partitions: number,
): readonly KafkaMessage[] {
  const value = encodeUsageEntry({ arrivedAtMs: now(), records: [], readings });
  const parts = Array.from({ length: partitions }, (_, partition) => ({ topic: usage, partition, value }));
  return [...parts, { topic: deltas, partition: 0, value }];
}

interface MetricStoringOptions {
  readonly stageLog: KafkaStageLog;
  readonly store: Store;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly oldestMs: number;
  readonly told: (readings: readonly EnergyReading[]) => readonly KafkaMessage[];
  readonly letters: ReturnType<typeof lettersOf>;
}

interface Decoded extends MetricEntry {
  /** What no version can have written: to be put aside. */
  readonly unreadable?: UnreadableEntry;
}

/**
 * Stores what stands in a partition, then moves on and tells what was measured, in one transaction. A kill in between
 * stores it again, which changes nothing, and tells no joule twice: rows that were there already say nothing new.
 */
class MetricStoring {
  readonly #options: MetricStoringOptions;
  readonly #acceptor: MetricAcceptor;
  readonly #lately = saidLately();
  #arrivedAtMs = 0;
  #readings: EnergyReading[] = [];

  constructor(options: MetricStoringOptions) {
    this.#options = options;
    this.#acceptor = new MetricAcceptor({
      store: options.store,
      logEnergy: async (readings) => void this.#readings.push(...readings),
      // What waits, waits in the log; the disk is ClickHouse's to watch.
      space: { shortage: () => null },
      now: () => this.#arrivedAtMs,
      oldestMs: options.oldestMs,
      seriesMax: defaultSeriesMax,
      pendingPointsMax: Number.POSITIVE_INFINITY,
      lingerMs: 0,
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { stageLog, told, letters } = this.#options;
    for (let offset = stageLog.toldOffset(); !signal.aborted; ) {
      await stageLog.entries.waitFor(offset, signal);
      if (signal.aborted) return;
      const batch = this.#together(await stageLog.entries.read(offset, entriesPerInsert));
      if (batch.length === 0) continue;
      if (!(await this.#store(batch, signal))) return;
      offset = batch.at(-1)?.offset ?? offset;
      const readings = this.#readings.splice(0);
      const aside = batch.flatMap((entry) => letters(entry.unreadable ?? null, entry.offset));
      const said = readings.length === 0 ? [] : told(readings);
      await stageLog.tell([...said, ...aside], { offset, atMs: this.#arrivedAtMs });
    }
  }

  /** The first of these entries, decoded: as many as arrived about the same time. */
  #together(entries: readonly LogEntry[]): readonly (Decoded & { readonly offset: number })[] {
    const decoded = entries.map(({ offset, payload }) => ({ offset, ...this.#decode(payload) }));
    const firstMs = decoded.find(({ points }) => points.length > 0)?.arrivedAtMs ?? 0;
    this.#arrivedAtMs = Math.max(this.#arrivedAtMs, firstMs);
    const later = decoded.findIndex(({ arrivedAtMs }) => arrivedAtMs > firstMs + togetherMs);
    return later <= 0 ? decoded : decoded.slice(0, later);
  }

  #decode(payload: Uint8Array): Decoded {
    try {
      return decodeMetricEntry(payload);
    } catch (error) {
      if (!(error instanceof CorruptEntry)) throw error;
      return { arrivedAtMs: 0, points: [], unreadable: { payload, reason: error.message } };
    }
  }

  /** Tries until they are stored. @returns false where it was told to stop first. */
  async #store(batch: readonly MetricEntry[], signal: AbortSignal): Promise<boolean> {
    const { log, metrics } = this.#options;
    const points = batch.flatMap((entry) => entry.points).map((point, index) => ({ ...point, index }));
    for (let retryMs = retryMinMs; !signal.aborted; retryMs = Math.min(retryMs * 2, retryMaxMs)) {
      this.#readings = [];
      const outcome = await this.#acceptor.accept({ points, otherPoints: 0, rejected: [] });
      if (outcome.kind === "accepted") {
        metrics.pointsRejected.inc(outcome.rejected.length);
        const [refused] = outcome.rejected;
        if (refused !== undefined)
          log.warn({ points: outcome.rejected.length, reason: refused.reason }, "points of metrics were refused");
        return true;
      }
      const error = outcome.kind === "unavailable" ? outcome.message : outcome.kind;
      if (!this.#lately(error))
        log.error({ error, retry_in_ms: retryMs }, "metrics cannot be stored, they wait in the log");
      await setTimeout(retryMs, undefined, { signal }).catch(() => undefined);
    }
    return false;
  }
}
