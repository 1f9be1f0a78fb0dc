/** The life of a span as objects: two logs, four workers and two fronts, joined here and nowhere else. */

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "pino";
import { Alerter, type DeliveryEvent } from "./alerting/alerter.ts";
import { incidentOf } from "./alerting/explain.ts";
import type { StoredSpend } from "./alerting/find-cause.ts";
import type { Channel } from "./channels/channel.ts";
import { type Terminal, terminalChannel } from "./channels/terminal.ts";
import { webhookChannel } from "./channels/webhook.ts";
import type { Config } from "./config.ts";
import { DetectionWorker } from "./detection/detection-worker.ts";
import type { DetectorChoices } from "./detection/detector-plan.ts";
import { judgeInThread } from "./detection/judge.ts";
import { keepsAttribute, keepsSpan } from "./dialects/dialects.ts";
import { DiskSpace, NoRoomError } from "./event-log/disk-space.ts";
import type { EventLog } from "./event-log/event-log.ts";
import { LmdbLog } from "./event-log/lmdb-log.ts";
import { LmdbUsageLog } from "./event-log/lmdb-usage-log.ts";
import type { UsageLog } from "./event-log/usage-log.ts";
import { apiRoutes } from "./http/api.ts";
import { countResolved, createMetrics, type Metrics } from "./http/metrics.ts";
import { createPreparer } from "./http/otlp-preparer.ts";
import { createOtlpFronts, type OtlpFronts } from "./http/otlp-server.ts";
import type { PriceListStatus } from "./http/price-routes.ts";
import { Refusals } from "./http/refusals.ts";
import { createRouter } from "./http/router.ts";
import { TailHub } from "./http/tail-hub.ts";
import { tailLine } from "./http/tail-line.ts";
import { Acceptor, appendsTo } from "./ingest/accept.ts";
import { Corrections } from "./ingest/corrections.ts";
import { defaultDecodeLimits } from "./ingest/decoded-export.ts";
import { oneLog } from "./ingest/encoded-export.ts";
import { FreshEntries } from "./ingest/fresh-entries.ts";
import { logClock } from "./ingest/log-clock.ts";
import { MetricAcceptor } from "./ingest/metrics/metric-acceptor.ts";
import { defaultSeriesMax } from "./ingest/metrics/series-limits.ts";
import { Resolver } from "./ingest/resolver.ts";
import type { Said } from "./ingest/said-codec.ts";
import { sayBetween } from "./ingest/say-between.ts";
import { findStored } from "./ingest/stored-records.ts";
import type { UsageEntry } from "./ingest/usage-codec.ts";
import { Writer } from "./ingest/writer.ts";
import type { UsageRecord } from "./model/usage-record.ts";
import { PriceFile } from "./price-file.ts";
import { PriceBook } from "./pricing/price-book.ts";
import { lastCallMs, spendChange } from "./query/spend-change.ts";
import { auditOf } from "./repricing/reprice-job.ts";
import { Repricer } from "./repricing/repricer.ts";
import { ServerState } from "./server-state.ts";
import type { Store } from "./store/store.ts";

export interface PipelineOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly version: string;
  readonly store: Store;
  readonly logs: Logs;
  readonly terminal: Terminal;
}

/** The two logs and the newest entries of the second, decoded. */
export interface Logs {
  readonly spans: EventLog;
  readonly usage: UsageLog;
  readonly freshUsage: FreshEntries<UsageEntry>;
  /** Of the disk they are on. */
  readonly space: DiskSpace;
}

export interface Pipeline {
  readonly state: ServerState;
  /** Rejects when a worker can no longer go on. */
  readonly failed: Promise<never>;
  readonly otlp: OtlpFronts;
  readonly route: ReturnType<typeof createRouter>;
  /** Finishes the workers in the order in which they feed each other, then closes the logs. The store stays open. */
  stop(): Promise<void>;
}

type Workers = ReturnType<typeof createWorkers>;

interface Fronts {
  readonly metrics: Metrics;
  readonly tail: TailHub<UsageRecord>;
  readonly refusals: Refusals;
}

/** Of each judge. */
export const seriesMax = 100_000;
/** Decoded entries kept for consumers that keep up; older ones are read from the log. */
const freshEntriesMax = 512;
const followersMax = 32;
const producersRefusedMax = 1000;
const trimEveryMs = 2000;
const dayMs = 86_400_000;
const now = logClock({ wall: () => Date.now(), steady: () => performance.now() });

/** Joins logs, store, workers and fronts, and starts the workers. */
export function openPipeline(options: PipelineOptions): Pipeline {
  const { config, log, logs, store, version } = options;
  const fronts: Fronts = {
    metrics: createMetrics(() => state.readings()),
    tail: new TailHub({ line: tailLine, followersMax }),
    refusals: new Refusals(producersRefusedMax),
  };
  const prices = openPrices(options);
  const workers = createWorkers(options, fronts, prices.book);
  const filter = { keepsAttribute, keepsSpan };
  const preparer = createPreparer({
    limits: defaultDecodeLimits,
    oldestMs: config.rawRetentionDays * dayMs,
    filter,
    layout: oneLog,
  });
  const state = new ServerState({ config, version, store, now, ...logs, ...workers });
  const failed = start(workers, (worker, error) => {
    // It waited for room when it was told to stop.
    if (error instanceof NoRoomError) return;
    state.workerFailed(worker, error);
    log.fatal({ worker, error: error.message }, "worker stopped");
  });
  workers.repricer.start();
  const trimmer = setInterval(() => trim(logs, workers), trimEveryMs);
  return {
    state,
    failed,
    otlp: createOtlpFronts({
      ...fronts,
      acceptor: workers.acceptor,
      metricAcceptor: workers.metricAcceptor,
      prepare: preparer.prepare,
      now,
      report: (error) => log.error({ error: String(error) }, "export request failed"),
    }),
    route: createRouter(routesOf(options, { ...fronts, ...workers, ...prices, state })),
    async stop() {
      clearInterval(trimmer);
      prices.file.stop();
      fronts.tail.close();
      await preparer.close();
      await workers.metricAcceptor.stop();
      logs.space.close();
      const { repricer, resolver, writer, detection, alerter } = workers;
      for (const worker of [repricer, resolver, writer, detection, alerter])
        await worker.stop().catch((error: Error) => log.warn({ reason: error.message }, "stopped without saving"));
      await logs.spans.close();
      await logs.usage.close();
    },
  };
}

/** The logs of one machine: two lmdb environments in the data directory. */
export function openLogs(config: Config): Logs {
  const space = new DiskSpace({ directory: config.data, freeBytesMin: config.diskFreeBytesMin });
  return {
    space,
    spans: new LmdbLog({ directory: join(config.data, "spans"), space }),
    usage: new LmdbUsageLog({
      directory: join(config.data, "usage"),
      space,
      identities: { horizonMs: config.identityHours * 3_600_000, entriesMax: config.identityEntriesMax },
    }),
    freshUsage: new FreshEntries<UsageEntry>(freshEntriesMax),
  };
}

/** The prices in use: the bundled list and, before it, the user's own. @throws ConfigError when that is broken. */
export function openPrices({ config, log }: Pick<PipelineOptions, "config" | "log">) {
  const book = new PriceBook();
  const file = new PriceFile({
    config,
    book,
    loaded: (path, version) =>
      log.info({ file: path, version }, "price list read; burnwatch reprice corrects the past"),
    refused: (error) => log.error({ error: error.message }, "price list refused, the one before stays in use"),
  });
  file.start();
  return { book, file };
}

export type OpenPrices = ReturnType<typeof openPrices>;

/** The user's list as it is now: it is read again if it has changed. */
export function listStatus({ book, file }: OpenPrices): PriceListStatus {
  file.refresh();
  return { file: file.path, version: book.list()?.version ?? null, entries: book.list()?.entries.length ?? 0 };
}

function createWorkers(options: PipelineOptions, { metrics, tail }: Fronts, prices: PriceBook) {
  const { config } = options;
  const { spans, usage, freshUsage, space } = options.logs;
  const acceptor = new Acceptor({ append: appendsTo(spans), space, backlogSpansMax: config.backlogSpansMax });
  const writer = createWriter(options, metrics);
  const resolver = new Resolver({
    spans,
    usage,
    freshUsage,
    prices,
    findStored: (wanted) =>
      findStored(wanted, { usage, fresh: freshUsage, store: options.store, writtenOffset: () => writer.offset() }),
    now,
    observe: (step) => {
      acceptor.resolved(step.spans);
      tail.publish(step.records);
      countResolved(metrics, step);
    },
  });
  const alerter = new Alerter({
    marks: usage,
    channels: channelsOf(options),
    store: spendIn(options.store, writer),
    observe: (event) => noteDelivery(event, metrics, options.log),
  });
  const detection = new DetectionWorker({
    usage,
    judge: judgeInThread({ choices: choicesOf(config), seriesMax }, new URL("./judge-thread.ts", import.meta.url)),
    saveEveryMs: 10_000,
    now,
    report: (findings, offset) => alerter.report(findings, offset),
  });
  const say = (said: Said) => sayBetween({ usage, fresh: freshUsage, between: (work) => resolver.between(work) }, said);
  const metricAcceptor = new MetricAcceptor({
    store: options.store,
    logEnergy: (readings) => say({ readings }),
    space,
    now,
    oldestMs: config.rawRetentionDays * dayMs,
    seriesMax: defaultSeriesMax,
    pendingPointsMax: 50_000,
    lingerMs: 500,
  });
  const repricer = new Repricer({
    store: options.store,
    prices,
    audit: (job) => options.store.recordReprice(auditOf(job)),
    log: new Corrections({
      usage,
      fresh: freshUsage,
      writtenOffset: () => writer.offset(),
      between: (work) => resolver.between(work),
      observe: (corrections) => metrics.corrections.inc(corrections),
    }),
    now,
    failed: (error, retryInMs) =>
      options.log.error(
        { error: error.message, retry_in_ms: retryInMs },
        "re-pricing interrupted, goes on where it was",
      ),
  });
  return { acceptor, metricAcceptor, resolver, writer, detection, alerter, repricer, say };
}

/** What is said of single detectors. The key for spend is the older one; what is said of it by its name wins. */
export function choicesOf({ detectors, excessUsdPerMinuteMin }: Config): DetectorChoices {
  const settings = { excess_usd_per_minute_min: excessUsdPerMinuteMin, ...detectors["spend"]?.settings };
  return { ...detectors, spend: { ...detectors["spend"], settings } };
}

/** What causes are found in. Somebody waits for them, so what is not stored yet is stored without lingering. */
function spendIn(store: Store, writer: Writer): StoredSpend {
  return {
    change: (where, before, after) => spendChange(store, { where, before, after }),
    lastCallMs: (where, period) => lastCallMs(store, where, period),
    holds(offset) {
      const isStored = writer.offset() >= offset;
      if (!isStored) writer.hurry();
      return isStored;
    },
  };
}

function createWriter({ config, store, log, logs }: PipelineOptions, metrics: Metrics): Writer {
  const { usage, freshUsage, space } = logs;
  return new Writer({
    logId: logIdOf(usage),
    usage,
    fresh: freshUsage,
    store,
    space,
    alone: true,
    rowsMax: config.batchRowsMax,
    lingerMs: 1000,
    now,
    observe: ({ rows, milliseconds }) => {
      metrics.rowsWritten.inc(rows);
      metrics.writeSeconds.observe(milliseconds / 1000);
    },
    repaired: (rollups) => log.warn({ rollups }, "rollups were behind their records after an unclean stop: made anew"),
    failed: (error, retryInMs) => {
      metrics.writeFailures.inc();
      log.error({ error: error.message, retry_in_ms: retryInMs }, "insert failed, records wait in the log");
    },
  });
}

function routesOf(
  { config, store, version }: PipelineOptions,
  parts: Fronts & Workers & OpenPrices & { readonly state: ServerState },
) {
  const { state, metrics, tail, alerter, refusals, repricer, book, file, say } = parts;
  return apiRoutes({
    version,
    store,
    metrics,
    follow: (response) => tail.follow(response),
    rawRetentionDays: config.rawRetentionDays,
    now,
    pricing: {
      repricer,
      priceList: () => listStatus({ book, file }),
    },
    alerts: () => alerter.alerts(),
    accept: (alert) => say({ accepted: [incidentOf(alert)] }),
    quality: () => state.quality(),
    status: () => state.status(),
    ready: () => state.notReady(),
    checks: () => state.checks(),
    tokens: () => state.tokens(),
    settle: (timeoutMs) => state.settle(timeoutMs),
    producer: (id) => refusals.of(id),
  });
}

/** Where alerts go. */
export function channelsOf({ config, terminal }: Pick<PipelineOptions, "config" | "terminal">): readonly Channel[] {
  const shown = terminalChannel(terminal);
  if (config.webhook === null) return [shown];
  const externalUrl = config.api === null ? "" : `http://${config.api.host}:${config.api.port}`;
  return [shown, webhookChannel({ url: config.webhook, externalUrl })];
}

/** Counts a delivery, and says what failed. */
export function noteDelivery(event: DeliveryEvent, metrics: Metrics, log: Logger): void {
  const { channel, alert } = event;
  const outcome = event.kind === "delivered" ? "delivered" : event.retryInMs === null ? "refused" : "retried";
  metrics.deliveries.inc({ channel, outcome });
  if (event.kind === "delivered") return;
  const about = { channel, fingerprint: alert.fingerprint, error: event.error.message, retry_in_ms: event.retryInMs };
  log.warn(about, event.retryInMs === null ? "notification refused, given up" : "notification failed, trying again");
}

/** Names this log in the store for ever: batches of another log in the same database are other batches. */
function logIdOf(usage: UsageLog): string {
  const known = usage.mark("log_id");
  if (typeof known === "string") return known;
  const id = randomUUID().slice(0, 8);
  // Written before the first plan, which waits for the same disk and fails with it.
  usage.saveMark("log_id", id).catch(() => undefined);
  return id;
}

function start(
  { acceptor, alerter, resolver, writer, detection }: Workers,
  tell: (worker: string, error: Error) => void,
): Promise<never> {
  const running = {
    receiver: acceptor,
    alerter: alerter.start(),
    resolver: resolver.start(),
    writer: writer.start(),
    detection: detection.start(),
  };
  const failed = new Promise<never>((_, reject) => {
    for (const [name, worker] of Object.entries(running)) {
      worker.failed.catch((error: Error) => {
        tell(name, error);
        reject(error);
      });
    }
  });
  // Whoever waits for it hears of it; nobody waiting is no crash.
  failed.catch(() => undefined);
  return failed;
}

/** Entries are kept until they are stored and the detector would not read them again after a restart. */
function trim({ usage, freshUsage }: Logs, { writer, detection }: Workers): void {
  freshUsage.forget(Math.min(writer.offset(), detection.offset()));
  // A log that cannot be trimmed cannot be written either: the next writer of an entry fails and is heard.
  usage.entries.trim(Math.min(writer.offset(), detection.savedOffset())).catch(() => undefined);
}
