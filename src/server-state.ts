/** What the running server knows of itself: lag, readiness, status, and the checks of the doctor. */

import type { Alerter } from "./alerting/alerter.ts";
import type { Config } from "./config.ts";
import type { DetectionWorker } from "./detection/detection-worker.ts";
import type { DiskSpace } from "./event-log/disk-space.ts";
import type { EventLog } from "./event-log/event-log.ts";
import type { UsageLog } from "./event-log/usage-log.ts";
import type { Check } from "./http/api.ts";
import type { MetricReadings } from "./http/metrics.ts";
import type { Quality } from "./http/quality.ts";
import type { Acceptor } from "./ingest/accept.ts";
import { arrivedAtMsOf } from "./ingest/entry-bytes.ts";
import type { FreshEntries } from "./ingest/fresh-entries.ts";
import type { MetricAcceptor } from "./ingest/metrics/metric-acceptor.ts";
import { compareTokens, missingSpansText, type TokenComparison } from "./ingest/metrics/token-check.ts";
import type { Resolver } from "./ingest/resolver.ts";
import { decodeUsageEntry, type UsageEntry } from "./ingest/usage-codec.ts";
import type { Writer } from "./ingest/writer.ts";
import type { Store } from "./store/store.ts";

export interface ServerParts {
  readonly config: Config;
  readonly version: string;
  readonly store: Store;
  readonly spans: EventLog;
  readonly usage: UsageLog;
  readonly freshUsage: FreshEntries<UsageEntry>;
  readonly space: DiskSpace;
  readonly acceptor: Acceptor;
  readonly metricAcceptor: MetricAcceptor;
  readonly resolver: Resolver;
  readonly writer: Writer;
  readonly detection: DetectionWorker;
  readonly alerter: Alerter;
  readonly now: () => number;
}

const unpricedCacheMs = 10_000;
const tokensCacheMs = 30_000;
const freeBytesWarn = 2e9;
const lagSecondsWarn = 30;

export class ServerState {
  readonly #parts: ServerParts;
  readonly #startedAtMs: number;
  #failure: string | null = null;
  #tokens: { readonly atMs: number; readonly comparisons: Promise<readonly TokenComparison[]> } | undefined;
  #unpriced: { readonly atMs: number; readonly share: Promise<number | null> } | undefined;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#startedAtMs = parts.now();
  }

  workerFailed(worker: string, error: Error): void {
    this.#failure = `${worker} stopped: ${error.message}`;
  }

  /** Null when spans are taken, resolved, stored and judged; else why not. */
  notReady(): string | null {
    return this.#failure ?? this.#parts.space.shortage();
  }

  readings(): MetricReadings {
    const { acceptor, metricAcceptor, spans, usage, space, writer, detection, resolver, alerter, now } = this.#parts;
    const identities = usage.memory.identityStats(now());
    return {
      backlogSpans: acceptor.backlogSpans(),
      spansLogOffset: spans.lastOffset(),
      usageLogOffset: usage.entries.lastOffset(),
      resolvedOffset: usage.inputOffset(),
      writtenOffset: writer.offset(),
      detectedOffset: detection.offset(),
      lagSeconds: this.lagSeconds(),
      completeness: resolver.completeness(),
      series: detection.seriesCount(),
      alertsFiring: alerter.alerts().filter(({ status }) => status === "firing").length,
      identities: identities.entries,
      heldTraces: resolver.held().traces,
      identityHorizonSeconds: identities.horizonMs / 1000,
      metricSeries: metricAcceptor.series(),
      logBytes: spans.sizeBytes() + usage.entries.sizeBytes(),
      diskFreeBytes: space.freeBytes(),
      diskFreeBytesMin: space.freeBytesMin,
    };
  }

  /** Age in seconds of the oldest acknowledged span that cannot be queried yet; 0 when there is none. */
  lagSeconds(): number {
    const { spans, usage, freshUsage, writer, now } = this.#parts;
    const unwritten = usage.entries
      .peek(writer.offset(), 64)
      .map(({ offset, payload }) => freshUsage.get(offset) ?? decodeUsageEntry(payload));
    const waiting = unwritten.find(({ records }) => records.length > 0)?.arrivedAtMs;
    const [unresolved] = waiting === undefined ? spans.peek(usage.inputOffset(), 1) : [];
    const oldest = waiting ?? (unresolved === undefined ? undefined : arrivedAtMsOf(unresolved.payload));
    return oldest === undefined ? 0 : Math.max(0, Math.round((now() - oldest) / 100) / 10);
  }

  async quality(): Promise<Quality> {
    return {
      completeness: this.#parts.resolver.completeness(),
      unpriced_share: await this.#unpricedShare(),
      lag_seconds: this.lagSeconds(),
      missing_spans: missingSpansText(await this.tokens(tokensCacheMs)),
    };
  }

  /** What producers' own metrics count beside what their spans brought, as of at most so long ago. */
  tokens(ageMsMax = 0): Promise<readonly TokenComparison[]> {
    const { store, now } = this.#parts;
    if (this.#tokens === undefined || now() - this.#tokens.atMs >= ageMsMax) {
      this.#tokens = { atMs: now(), comparisons: compareTokens(store, now()) };
      this.#tokens.comparisons.catch(() => {
        this.#tokens = undefined;
      });
    }
    return this.#tokens.comparisons;
  }

  async status(): Promise<Record<string, unknown>> {
    const { config, store, version, now, usage } = this.#parts;
    return {
      version,
      store: await store.describe(),
      node: process.versions.node,
      uptime_seconds: Math.round((now() - this.#startedAtMs) / 1000),
      raw_retention_days: config.rawRetentionDays,
      rollup_retention_months: config.rollupRetentionMonths,
      identity: usage.memory.identityStats(now()),
      ...this.readings(),
      ...(await this.quality()),
    };
  }

  /** Waits until everything acknowledged before the call is stored and judged. */
  async settle(timeoutMs: number): Promise<void> {
    const { spans, usage, writer, detection, now } = this.#parts;
    const acknowledged = spans.lastOffset();
    const deadlineMs = now() + timeoutMs;
    const until = async (done: () => boolean, what: string) => {
      while (!done()) {
        if (this.#failure !== null) throw new Error(this.#failure);
        if (now() > deadlineMs) throw new Error(`${what} is still behind after ${timeoutMs / 1000} s`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await until(() => usage.inputOffset() >= acknowledged, "the resolver");
    const resolved = usage.entries.lastOffset();
    await until(() => writer.offset() >= resolved && detection.offset() >= resolved, "the writer or the detector");
  }

  async checks(): Promise<readonly Check[]> {
    const { config, store, space } = this.#parts;
    const readings = this.readings();
    const share = await this.#unpricedShare();
    const broken = await store.brokenSeals();
    const compared = await this.tokens();
    return [
      check(
        "workers",
        this.#failure === null ? "ok" : "fail",
        this.#failure ?? "resolver, writer and detector run",
        "read the log and start again",
      ),
      check("store", "ok", await store.describe(), ""),
      check(
        "seals",
        broken.length === 0 ? "ok" : "fail",
        broken.length === 0 ? "closed days hold what was sealed" : `sums differ from the seal: ${broken.join(", ")}`,
        "compare with a backup; the single records of these days may still be in usage",
      ),
      diskCheck(space, config.data),
      check(
        "lag",
        readings.lagSeconds > lagSecondsWarn ? "warn" : "ok",
        `${readings.lagSeconds} s`,
        "see burnwatch_write_seconds in /metrics",
      ),
      completenessCheck(readings.completeness),
      check(
        "tokens",
        compared.some((comparison) => comparison.spans_missing) ? "warn" : "ok",
        missingSpansText(compared) ??
          (compared.length === 0
            ? "no service sends gen_ai.client.token.usage"
            : `spans bring what metrics count, ${compared.length} comparisons`),
        "spans are sampled or lost on their way: see /api/v1/completeness",
      ),
      check(
        "prices",
        share !== null && share > 0.01 ? "warn" : "ok",
        share === null ? "no calls in the last day" : `${(share * 100).toFixed(2)} % of calls unpriced`,
        "see which with burnwatch models, then burnwatch prices add",
      ),
      check(
        "webhook",
        config.webhook === null ? "warn" : "ok",
        config.webhook === null ? "alerts are shown on the terminal only" : "configured",
        "set BURNWATCH_WEBHOOK to a URL",
      ),
    ];
  }

  #unpricedShare(): Promise<number | null> {
    const { store, now } = this.#parts;
    if (this.#unpriced === undefined || now() - this.#unpriced.atMs > unpricedCacheMs) {
      this.#unpriced = { atMs: now(), share: unpricedShare(store) };
      this.#unpriced.share.catch(() => {
        this.#unpriced = undefined;
      });
    }
    return this.#unpriced.share;
  }
}

/** Of the calls of the last day, null where there were none. */
export async function unpricedShare(store: Store): Promise<number | null> {
  const [row] = await store.query<{ unpriced: string; calls: string }>(
    "SELECT sum(unpriced_calls) AS unpriced, sum(calls) AS calls FROM usage_by_15m WHERE slot >= now() - INTERVAL 1 DAY",
  );
  const calls = Number(row?.calls ?? 0);
  return calls === 0 ? null : Number(row?.unpriced ?? 0) / calls;
}

/** One line of the doctor; advice only where something is to be done. */
export function check(name: string, status: Check["status"], detail: string, advice: string): Check {
  return { name, status, detail, advice: status === "ok" ? "" : advice };
}

/** Of the numbered records that arrived. @param share null where no producer numbers them. */
export function completenessCheck(share: number | null): Check {
  return check(
    "completeness",
    share !== null && share < 0.999 ? "warn" : "ok",
    share === null ? "no producer numbers its records" : `${(share * 100).toFixed(2)} % accounted`,
    "a producer was killed, or its exports were refused: see burnwatch_spans_rejected_total",
  );
}

function diskCheck(space: DiskSpace, directory: string): Check {
  const shortage = space.shortage();
  if (shortage !== null)
    return check("disk", "fail", shortage, `free some where ${directory} is: spans are taken again without a restart`);
  const free = space.freeBytes();
  return check(
    "disk",
    free < freeBytesWarn ? "warn" : "ok",
    `${(free / 1e9).toFixed(1)} GB free for ${directory}`,
    "free space or shorten store.raw_retention_days",
  );
}
