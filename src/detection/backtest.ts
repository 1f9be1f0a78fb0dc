/** Today's detectors over recorded usage: what they would have said, and how good that would have been. */

import type { Detector } from "../../detectors/detector.ts";
import type { Finding, Series } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { DetectorChoices } from "./detector-plan.ts";
import { Watcher } from "./watcher.ts";

export interface BacktestOptions {
  readonly detectors: readonly Detector[];
  readonly choices: DetectorChoices;
  readonly seriesMax: number;
  /** Told of each record that was judged, for a progress bar. */
  readonly progress?: (records: number) => void;
}

/** A stretch of time in which something was wrong with a series. */
export interface Label {
  readonly series: Series;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What became of one label. */
export interface LabelGrade {
  readonly label: Label;
  /** The first finding within it; null when it was missed. */
  readonly finding: Finding | null;
  /** From the onset to the finding: records of the series, time, and nano-dollars spent on it. */
  readonly delayRecords: number;
  readonly delayMs: number;
  readonly delayNanoUsd: number;
}

export interface Grade {
  readonly labels: readonly LabelGrade[];
  /** Incidents that were told and lie in no label. */
  readonly falseFindings: readonly Finding[];
  readonly precision: number | null;
  readonly recall: number | null;
}

const tickMs = 1000;
/** The log goes on to tick for so long after its last record. */
const afterMs = 30 * 60_000;
/** A finding dated so shortly before a label belongs to it: windows begin with whole minutes. */
const earlyMs = 60_000;

/** A record and when it came; arrivals never go back. */
export interface Arrival {
  readonly record: UsageRecord;
  readonly arrivedAtMs: number;
}

/** Records that arrive as they end: what a recorded file can say. */
export function* arrivalsOf(records: Iterable<UsageRecord>): Generator<Arrival> {
  let latestMs = 0;
  for (const record of records) {
    latestMs = Math.max(latestMs, record.endUs / 1000);
    yield { record, arrivedAtMs: latestMs };
  }
}

/** Runs the detectors over records as they arrived, with the ticks that a log would have between them. */
export function* backtest(arrivals: Iterable<Arrival>, options: BacktestOptions): Generator<Finding> {
  const { detectors, choices, seriesMax, progress } = options;
  const watcher = new Watcher({ detectors, choices, limits: { seriesMax, passingMax: seriesMax } });
  let tickedMs = 0;
  let nowMs = 0;
  let judged = 0;
  for (const { record, arrivedAtMs } of arrivals) {
    if (tickedMs === 0) tickedMs = arrivedAtMs;
    // The log ticks only for half an hour after its last record.
    const quietUntilMs = nowMs === 0 ? arrivedAtMs : Math.min(arrivedAtMs, nowMs + afterMs);
    for (; tickedMs + tickMs <= quietUntilMs; tickedMs += tickMs) yield* watcher.tick(tickedMs + tickMs);
    tickedMs = Math.max(tickedMs, arrivedAtMs - tickMs);
    nowMs = arrivedAtMs;
    yield* watcher.observe(record, arrivedAtMs);
    if (++judged % 1000 === 0) progress?.(1000);
  }
  progress?.(judged % 1000);
  for (let afterwardsMs = tickMs; afterwardsMs <= afterMs; afterwardsMs += tickMs) {
    yield* watcher.tick(nowMs + afterwardsMs);
  }
}

/** The first telling of each incident, and the first as a page of one that was a ticket. */
export function opened(findings: readonly Finding[]): readonly Finding[] {
  const open = new Map<string, Finding["severity"]>();
  return findings.filter(({ kind, series, status, severity }) => {
    const key = JSON.stringify([kind, series]);
    const known = open.get(key);
    if (status === "resolved") open.delete(key);
    else open.set(key, severity);
    return status === "firing" && (known === undefined || (known === "ticket" && severity === "page"));
  });
}

/** Compares findings with what is known to have been wrong. A label is found by any incident of its branch that overlaps it. */
export function grade(findings: readonly Finding[], labels: readonly Label[], records: readonly UsageRecord[]): Grade {
  const incidents = opened(findings);
  const graded = labels.map((label) => gradeLabel(label, incidents, records));
  const falseFindings = incidents.filter((finding) => !labels.some((label) => belongs(finding, label)));
  const found = graded.filter(({ finding }) => finding !== null).length;
  return {
    labels: graded,
    falseFindings,
    precision: incidents.length === 0 ? null : (incidents.length - falseFindings.length) / incidents.length,
    recall: labels.length === 0 ? null : found / labels.length,
  };
}

function gradeLabel(label: Label, incidents: readonly Finding[], records: readonly UsageRecord[]): LabelGrade {
  const finding = incidents.find((each) => belongs(each, label)) ?? null;
  const untilMs = finding?.atMs ?? label.untilMs;
  const within = records.filter(
    (record) => record.endUs / 1000 >= label.fromMs && record.endUs / 1000 <= untilMs && matches(record, label.series),
  );
  return {
    label,
    finding,
    delayRecords: within.length,
    delayMs: Math.max(0, untilMs - label.fromMs),
    delayNanoUsd: within.reduce((sum, { costNanoUsd }) => sum + (costNanoUsd ?? 0), 0),
  };
}

function belongs({ series, onsetMs, atMs }: Finding, label: Label): boolean {
  const names = Object.keys(label.series) as (keyof Series)[];
  const branch = names.every((name) => series[name] === undefined || series[name] === label.series[name]);
  return branch && onsetMs <= label.untilMs && onsetMs >= label.fromMs - earlyMs && atMs >= label.fromMs;
}

function matches(record: UsageRecord, series: Series): boolean {
  const names = Object.keys(series) as (keyof Series)[];
  return names.every((name) => record[name] === series[name]);
}
