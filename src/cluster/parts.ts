/** The parts of a cluster, each in as many processes as it takes, joined by Kafka: the same workers as on one machine. */

import { join } from "node:path";
import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { keepsAttribute, keepsSpan } from "../dialects/dialects.ts";
import { DiskSpace } from "../event-log/disk-space.ts";
import type { KafkaClient } from "../event-log/kafka-client.ts";
import { KafkaConsumedLog } from "../event-log/kafka-consumed-log.ts";
import { type GoneOffsets, KafkaLog } from "../event-log/kafka-log.ts";
import { KafkaResolverLog, resolverGroup } from "../event-log/kafka-resolver-log.ts";
import { KafkaSpansSink } from "../event-log/kafka-spans-sink.ts";
import { groupNames, type KafkaTopics, spansEntryBytesMax, topicsOf } from "../event-log/kafka-topics.ts";
import { OwnedPartitions, type OwnedPartitionsOptions, type PartitionWorker } from "../event-log/owned-partitions.ts";
import { OtherVersionEntry } from "../event-log/unreadable-entry.ts";
import { untilConsumed } from "../event-log/until-consumed.ts";
import { countResolved, type Metrics } from "../http/metrics.ts";
import { createPreparer } from "../http/otlp-preparer.ts";
import { createOtlpFronts, type OtlpFronts } from "../http/otlp-server.ts";
import { Refusals } from "../http/refusals.ts";
import { Acceptor } from "../ingest/accept.ts";
import { defaultDecodeLimits } from "../ingest/decoded-export.ts";
import { logClock } from "../ingest/log-clock.ts";
import { MetricDoor } from "../ingest/metrics/metric-door.ts";
import { Resolver } from "../ingest/resolver.ts";
import { storedAlready } from "../ingest/stored-already.ts";
import { findInTable } from "../ingest/stored-records.ts";
import { Writer } from "../ingest/writer.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import type { Store } from "../store/store.ts";
import { RepriceBoard } from "./reprice-board.ts";
import { RepriceShare } from "./repricing.ts";
import { saidLately } from "./said-lately.ts";
import { entryParked } from "./unreadable.ts";

/** What every part of a cluster is given. */
export interface PartOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly client: KafkaClient;
  readonly metrics: Metrics;
}

export interface Collector {
  readonly otlp: OtlpFronts;
  /** Why nothing was appended just now, in one line; null where it was, or nobody asked for a while. */
  refused(): string | null;
  stop(): Promise<void>;
}

/** The group of the writers, without its prefix; the name that `Writer` marks its place under. */
export const writerGroup = groupNames.writer;
const producersRefusedMax = 1000;
const pendingPointsMax = 50_000;
const dayMs = 86_400_000;
const saidAgainMs = 60_000;
const refusedForMs = 15_000;
/** So long a re-pricing waits for the writers, before it asks again. */
const storedWithinMs = 60_000;
/** The clock of this process, which never goes back. */
export const now = logClock({ wall: () => Date.now(), steady: () => performance.now() });

/** OTLP into the topics of spans and metrics. An export is acknowledged when all in-sync copies of the brokers have it. */
export function openCollector({ config, log, client, metrics }: PartOptions): Collector {
  const sink = new KafkaSpansSink(client, topicsOf(layoutOf(config)).spans);
  const metricSink = new KafkaSpansSink(client, topicsOf(layoutOf(config)).metrics);
  const appending = appendingTold(log);
  const acceptor = new Acceptor({
    append: (entries) => appending.told(sink.append(entries)),
    // The brokers' disks are theirs to watch; a collector writes nothing to its own.
    space: new DiskSpace({ directory: config.data, freeBytesMin: 0 }),
    backlogSpansMax: config.backlogSpansMax,
  });
  const preparer = createPreparer({
    limits: defaultDecodeLimits,
    oldestMs: config.rawRetentionDays * dayMs,
    filter: { keepsAttribute, keepsSpan },
    layout: { partitions: config.kafkaPartitions, entryBytesMax: spansEntryBytesMax },
  });
  const otlp = createOtlpFronts({
    acceptor: {
      async accept(received) {
        const outcome = await acceptor.accept(received);
        // What waits here is what the brokers have not acknowledged; what they have is theirs.
        if (outcome.kind === "accepted") acceptor.resolved(received.spans);
        return outcome;
      },
    },
    metricAcceptor: new MetricDoor({
      append: (entries) => appending.told(metricSink.append(entries)),
      partitions: config.kafkaPartitions,
      now,
      oldestMs: config.rawRetentionDays * dayMs,
      pendingPointsMax,
    }),
    prepare: preparer.prepare,
    metrics,
    refusals: new Refusals(producersRefusedMax),
    now,
    report: (error) => log.error({ error: String(error) }, "export request failed"),
  });
  return {
    otlp,
    refused: appending.refused,
    async stop() {
      await preparer.close();
      await sink.close();
      await metricSink.close();
    },
  };
}

/** Spans topic to usage topic, for each partition of the spans topic that this process is given. */
export function openResolvers(
  options: PartOptions & { readonly store: Store; readonly prices: PriceBook },
): OwnedPartitions {
  const { config, log, client } = options;
  const topics = topicsOf(layoutOf(config));
  const board = new RepriceBoard({ client, topic: topics.reprices, partitions: config.kafkaPartitions });
  return measured(options, {
    client,
    group: `${config.kafkaPrefix}.${resolverGroup}`,
    topic: topics.spans,
    open: (partition) => openResolver({ ...options, board }, topics, partition),
    failed: failedIn("resolver", log),
  });
}

interface ResolverPart extends PartOptions {
  readonly store: Store;
  readonly prices: PriceBook;
  readonly board: RepriceBoard;
}

async function openResolver(options: ResolverPart, topics: KafkaTopics, partition: number): Promise<PartitionWorker> {
  const { config, log, client, metrics } = options;
  const { kafkaPrefix: prefix, kafkaPartitions: partitions } = config;
  const usage = await KafkaResolverLog.open({
    client,
    prefix,
    topics,
    partition,
    partitions,
    directory: join(config.data, `memory-${partition}`),
    identities: { horizonMs: config.identityHours * 3_600_000, entriesMax: config.identityEntriesMax },
    space: new DiskSpace({ directory: config.data, freeBytesMin: config.diskFreeBytesMin }),
    parked: entryParked(metrics, log),
    forgotten: (error) =>
      log.error(
        { partition, error: error.message },
        "a part of the memory cannot be read: its spans are resolved again",
      ),
    now,
  });
  return closingIfFailed([usage], async () => {
    const told = { failed: fetchFailed(log), gone: offsetsGone(metrics, log) };
    const spans = await KafkaLog.open({ client, topic: topics.spans, partition, ...told });
    return closingIfFailed([spans], () => resolving(options, { usage, spans, topics, partition }));
  });
}

interface ResolvedPartition {
  readonly usage: KafkaResolverLog;
  readonly spans: KafkaLog;
  readonly topics: KafkaTopics;
  readonly partition: number;
}

function resolving(options: ResolverPart, { usage, spans, topics, partition }: ResolvedPartition): PartitionWorker {
  const { config, log, client, metrics, store, prices } = options;
  const writers = `${config.kafkaPrefix}.${writerGroup}`;
  const resolver = new Resolver({
    spans,
    usage,
    freshUsage: null,
    prices,
    findStored: async (wanted, signal) => {
      try {
        await untilConsumed(client, writers, topics.usage, signal);
        return await findInTable(wanted, store);
      } catch (error) {
        log.warn({ partition, error: (error as Error).message }, "late spans wait: cannot see what is stored");
        throw error;
      }
    },
    now,
    observe: (step) => {
      countResolved(metrics, step);
      repricing.resolved(step.records);
    },
  });
  const repricing = new RepriceShare({
    ...options,
    topic: topics.reprices,
    partition,
    usage,
    between: (work) => resolver.between(work),
    untilStored: () => untilConsumed(client, writers, topics.usage, AbortSignal.timeout(storedWithinMs)),
  });
  log.info({ partition, from: usage.inputOffset() }, "resolving");
  return {
    failed: Promise.race([resolver.start().failed, repricing.start().failed]),
    async stop() {
      await Promise.all([repricing.stop(), resolver.stop()]);
      await spans.close();
      await usage.close();
    },
  };
}

/** Usage topic to ClickHouse, for each partition of the usage topic that this process is given. */
export function openWriters(options: PartOptions & { readonly store: Store }): OwnedPartitions {
  const { config, log, client } = options;
  const topics = topicsOf(layoutOf(config));
  // What keeps one partition from ClickHouse keeps the others as well: it is said once for all of them.
  const lately = saidLately();
  return measured(options, {
    client,
    group: `${config.kafkaPrefix}.${writerGroup}`,
    topic: topics.usage,
    open: (partition) => openWriter({ ...options, lately }, topics, partition),
    failed: failedIn("writer", log),
  });
}

interface WriterPart extends PartOptions {
  readonly store: Store;
  readonly lately: (line: string) => boolean;
}

async function openWriter(
  { config, log, client, metrics, store, lately }: WriterPart,
  topics: KafkaTopics,
  partition: number,
): Promise<PartitionWorker> {
  const prefix = config.kafkaPrefix;
  const told = { failed: fetchFailed(log), gone: offsetsGone(metrics, log), parked: entryParked(metrics, log) };
  const place = { client, prefix, topics, partition, consumer: writerGroup };
  const usage = await KafkaConsumedLog.open({ ...place, ...told });
  return closingIfFailed([usage], async () => {
    if (usage.hasNoPlace) await refuseStored(usage, { topic: topics.usage, partition, store });
    return writing({ config, log, metrics, store, lately }, usage, partition);
  });
}

function writing(
  { config, log, metrics, store, lately }: Omit<WriterPart, "client">,
  usage: KafkaConsumedLog,
  partition: number,
): PartitionWorker {
  const writer = new Writer({
    logId: usage.logId,
    usage,
    fresh: null,
    store,
    space: new DiskSpace({ directory: config.data, freeBytesMin: 0 }),
    rowsMax: config.batchRowsMax,
    alone: false,
    lingerMs: 1000,
    now,
    observe: (written) => {
      metrics.rowsWritten.inc(written.rows);
      metrics.writeSeconds.observe(written.milliseconds / 1000);
    },
    repaired: () => undefined,
    slowed: (shard, waitMs) => log.warn({ partition, shard, wait_ms: waitMs }, "many parts: fewer and larger inserts"),
    failed: (error, retryInMs) => {
      metrics.writeFailures.inc();
      if (lately(error.message)) return;
      log.error({ partition, error: error.message, retry_in_ms: retryInMs }, "insert failed, records wait in the log");
    },
  });
  log.info({ partition, from: writer.offset() }, "writing");
  return {
    failed: writer.start().failed,
    async stop() {
      await writer.stop();
      await usage.close();
    },
  };
}

/** @throws Error where the log is in the table: the brokers have forgotten how far its writer was. */
async function refuseStored(
  { entries }: KafkaConsumedLog,
  { topic, partition, store }: { readonly topic: string; readonly partition: number; readonly store: Store },
): Promise<void> {
  const stored = await storedAlready({ entries, partition }, store);
  if (stored === null) return;
  throw new Error(
    `the brokers have forgotten how far the writer of ${topic}/${partition} was, and what is in there is stored already, up to offset ${stored.to} (batches of ${stored.logId}): it would be stored twice; let kafka-delete-records remove what lies before offset ${stored.to} of that partition, then it goes on from there`,
  );
}

/** Does what follows an opening; where it fails, what was opened is closed again. */
export async function closingIfFailed<Result>(
  opened: readonly { close(): Promise<void> }[],
  work: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    for (const one of opened) await one.close().catch(() => undefined);
    throw error;
  }
}

/** Of a configuration with brokers. */
export function layoutOf({ kafkaPrefix, kafkaPartitions, kafkaReplicas }: Config) {
  return { prefix: kafkaPrefix, partitions: kafkaPartitions, replicas: kafkaReplicas };
}

/** The partitions of a group, with how far it is behind in them in /metrics, and whether the group has us in /readyz. */
export function measured({ metrics, log }: Pick<PartOptions, "metrics" | "log">, options: OwnedPartitionsOptions) {
  const { group, topic } = options;
  const lately = saidLately();
  const outside = (error: Error, retryInMs: number) => {
    if (lately(error.message)) return;
    log.error({ group, error: error.message, retry_in_ms: retryInMs }, "the brokers do not take us: nothing is done");
  };
  const owned = new OwnedPartitions({ outside, ...options });
  metrics.lag.add({ group, topic, lag: () => owned.lag() });
  metrics.memberships.add({ group, outside: () => owned.outside() });
  return owned;
}

/** Says that a partition of a role stopped. The same line of one partition is not said again within a minute. */
export function failedIn(role: string, log: Logger) {
  const said = new Map<number, { readonly message: string; readonly atMs: number }>();
  return (partition: number, error: Error, retryInMs: number) => {
    const before = said.get(partition);
    if (before?.message === error.message && now() - before.atMs < saidAgainMs) return;
    said.set(partition, { message: error.message, atMs: now() });
    const about = { role, partition, error: error.message, retry_in_ms: retryInMs };
    if (error instanceof OtherVersionEntry) log.warn(about, "a partition waits for another version of Burnwatch");
    else log.error(about, "a partition stopped, opened again");
  };
}

/** Says, and counts, what a topic's retention took before it was read. */
function offsetsGone(metrics: Metrics, log: Logger) {
  return ({ topic, partition, from, to }: GoneOffsets) => {
    metrics.offsetsGone.inc({ topic }, to - from);
    const about = { topic, partition, from, to, offsets: to - from };
    log.error(
      about,
      "deleted before it was read, by the topic's retention: what was in it is lost; going on behind it",
    );
  };
}

/** Says that brokers do not give what is asked for. */
export function fetchFailed(log: Logger) {
  const lately = saidLately();
  return (error: Error) => {
    if (!lately(error.message)) log.warn({ error: error.message }, "cannot read, trying again");
  };
}

/** Says why exporters are told to wait, the same reason once a minute, and knows it for whoever asks for readiness. */
function appendingTold(log: Logger) {
  const lately = saidLately();
  let refused: { readonly line: string; readonly atMs: number } | null = null;
  return {
    async told<Result>(appending: Promise<Result>): Promise<Result> {
      try {
        const result = await appending;
        refused = null;
        return result;
      } catch (error) {
        const line = (error as Error).message;
        refused = { line, atMs: now() };
        if (!lately(line)) log.error({ error: line }, "nothing can be appended: exporters are told to wait");
        throw error;
      }
    },
    // It is ready again after a while, since only somebody who sends finds out whether the brokers take it.
    refused: () => (refused !== null && now() - refused.atMs < refusedForMs ? refused.line : null),
  };
}
