/** What the server says of itself, for Prometheus. Names end in their unit. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ResolvedStep } from "../ingest/resolver.ts";
import { LagGauge } from "./lag-gauge.ts";
import { Memberships } from "./memberships.ts";
import { TurnClock } from "./turn-clock.ts";

/** Readings taken at the moment somebody asks. */
export interface MetricReadings {
  readonly backlogSpans: number;
  readonly spansLogOffset: number;
  readonly usageLogOffset: number;
  readonly resolvedOffset: number;
  readonly writtenOffset: number;
  readonly detectedOffset: number;
  readonly lagSeconds: number;
  readonly completeness: number | null;
  readonly series: number;
  readonly alertsFiring: number;
  readonly identities: number;
  readonly heldTraces: number;
  readonly identityHorizonSeconds: number;
  readonly logBytes: number;
  readonly metricSeries: number;
  readonly diskFreeBytes: number;
  readonly diskFreeBytesMin: number;
}

export type Metrics = ReturnType<typeof createMetrics>;

/** The server's metrics; `read` is called whenever they are collected. Null where one part of a cluster has no readings. */
export function createMetrics(read: (() => MetricReadings) | null) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  addTurns(registry, new TurnClock());
  if (read !== null) addGauges(registry, read);
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `burnwatch_${name}_total`, help, labelNames, registers: [registry] });
  return {
    registry,
    lag: new LagGauge(registry),
    memberships: new Memberships(registry),
    requests: counter("otlp_requests", "Export requests by answer.", ["protocol", "telemetry", "status"]),
    wireBytes: counter("otlp_bytes", "Bytes of export bodies on the wire.", ["protocol", "telemetry"]),
    spansKept: counter("spans_kept", "LLM spans taken from export requests."),
    spansOther: counter("spans_other", "Spans that are no LLM operation: counted, not kept."),
    spansRejected: counter("spans_rejected", "Spans refused with a reason."),
    pointsKept: counter("metric_points_kept", "Data points stored: token usage, and readings of model instances."),
    pointsOther: counter("metric_points_other", "Data points of metrics that nobody keeps: counted, not kept."),
    pointsRejected: counter("metric_points_rejected", "Data points refused with a reason."),
    records: counter("records", "Usage records resolved, by cost status.", ["cost_status"]),
    repeats: counter("repeats", "Spans that had been seen before: dropped."),
    conflicts: counter(
      "conflicts",
      "Repeats that claimed other tokens or cost, dropped; or whose record was not found, so that they count twice.",
    ),
    corrections: counter(
      "corrections",
      "Records corrected or taken back: a higher revision, or what they repeat came late.",
    ),
    notBilled: counter("spans_not_billed", "Spans that repeat what another bills, by role.", ["role"]),
    unknownUsageKeys: boundedLabel(
      counter("unknown_usage_keys", "Counts above zero under usage keys that no bucket takes.", ["key"]),
      "key",
    ),
    deadLetters: counter("dead_letters", "Entries that could not be read and were put aside.", ["topic"]),
    offsetsGone: counter(
      "offsets_gone",
      "Offsets (records, and ends of transactions) that a topic's retention deleted before they were read.",
      ["topic"],
    ),
    rowsWritten: counter("rows_written", "Rows stored."),
    writeFailures: counter("write_failures", "Inserts that failed and were tried again."),
    deliveries: counter("notifications", "Notifications by channel and outcome.", ["channel", "outcome"]),
    writeSeconds: new Histogram({
      name: "burnwatch_write_seconds",
      help: "Time of one insert.",
      buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
      registers: [registry],
    }),
  };
}

/** Beside `nodejs_eventloop_lag_max_seconds`, and like it begun anew by each reading. */
function addTurns(registry: Registry, turns: TurnClock): void {
  new Gauge({
    name: "burnwatch_turn_cpu_max_seconds",
    help: "CPU time of the main thread's longest turn since the last reading: the event loop's delay on a free core.",
    registers: [registry],
    collect() {
      this.set(turns.longestSeconds());
    },
  });
}

/** Counts what a step of the resolver has done. */
export function countResolved(metrics: Metrics, step: ResolvedStep): void {
  metrics.repeats.inc(step.repeats);
  metrics.conflicts.inc(step.conflicts);
  metrics.corrections.inc(step.corrections);
  metrics.notBilled.inc({ role: "rollup" }, step.rollups);
  metrics.notBilled.inc({ role: "duplicate" }, step.duplicates);
  for (const key of step.unknownUsageKeys) metrics.unknownUsageKeys.inc(key);
  // Labels are made into a text with each call: a step has thousands of records, and a handful of statuses.
  const statuses = new Map<string, number>();
  for (const { costStatus } of step.records) statuses.set(costStatus, (statuses.get(costStatus) ?? 0) + 1);
  for (const [status, count] of statuses) metrics.records.inc({ cost_status: status }, count);
}

function addGauges(registry: Registry, read: () => MetricReadings): void {
  const registers = [registry];
  const gauge = (name: string, help: string, value: (readings: MetricReadings) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value(read()));
      },
    });
  gauge("burnwatch_backlog_spans", "Spans accepted and not yet resolved.", (r) => r.backlogSpans);
  gauge("burnwatch_spans_log_offset", "Newest entry of the spans log.", (r) => r.spansLogOffset);
  gauge("burnwatch_usage_log_offset", "Newest entry of the usage log.", (r) => r.usageLogOffset);
  gauge("burnwatch_resolved_offset", "Entry of the spans log up to which spans are resolved.", (r) => r.resolvedOffset);
  gauge("burnwatch_written_offset", "Entry of the usage log up to which records are stored.", (r) => r.writtenOffset);
  gauge("burnwatch_detected_offset", "Entry of the usage log up to which records are judged.", (r) => r.detectedOffset);
  gauge(
    "burnwatch_lag_seconds",
    "Age of the oldest acknowledged span that cannot be queried yet.",
    (r) => r.lagSeconds,
  );
  gauge(
    "burnwatch_completeness_ratio",
    "Share of numbered records that arrived; NaN when none are.",
    (r) => r.completeness ?? Number.NaN,
  );
  gauge("burnwatch_series", "Series under watch.", (r) => r.series);
  gauge("burnwatch_alerts_firing", "Alerts that are firing.", (r) => r.alertsFiring);
  gauge("burnwatch_held_traces", "Traces with spans that wait until nothing more comes.", (r) => r.heldTraces);
  gauge("burnwatch_identities", "Records remembered to recognise repeats.", (r) => r.identities);
  gauge(
    "burnwatch_identity_horizon_seconds",
    "How far back every repeat is recognised.",
    (r) => r.identityHorizonSeconds,
  );
  gauge("burnwatch_metric_series", "Series of metrics heard of in the last hour or two.", (r) => r.metricSeries);
  gauge("burnwatch_log_bytes", "Size of both logs on disk.", (r) => r.logBytes);
  gauge("burnwatch_disk_free_bytes", "Free bytes on the disk of the data directory.", (r) => r.diskFreeBytes);
  gauge("burnwatch_disk_free_min_bytes", "Free bytes below which spans are refused.", (r) => r.diskFreeBytesMin);
}

const labelValuesMax = 100;

/** A counter over a label whose values producers invent: beyond a hundred of them the rest is counted as `other`. */
function boundedLabel<Label extends string>(counter: Counter<Label>, label: Label): { inc(value: string): void } {
  const values = new Set<string>();
  return {
    inc(value) {
      if (values.size < labelValuesMax) values.add(value);
      counter.inc({ [label]: values.has(value) ? value : "other" } as Record<Label, string>);
    },
  };
}
