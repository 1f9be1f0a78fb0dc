/**
 * Findings become alerts: one per incident, firing once, resolved by itself. What was applied is remembered with the
 * offset of the log it came from, so that findings told again after a restart change nothing.
 */

import { checkVersion } from "../event-log/unreadable-entry.ts";
import type { Alert, Finding } from "../model/finding.ts";
import { alertAnnotations, alertLabels } from "./explain.ts";
import { type Cause, type CauseQuestion, hasCause } from "./find-cause.ts";
import { fingerprint } from "./fingerprint.ts";

export interface AlertEntry {
  readonly alert: Alert;
  /** What each channel was last told; absent when it was told nothing. */
  readonly told: Readonly<Record<string, Alert["status"]>>;
  /** When the detector last spoke of it, by the log's clock. Books of older versions do not have it. */
  readonly spokenAtMs?: number;
  /** From the store, and so no part of the alert itself: the same log gives the same alerts, whatever the store answers. */
  readonly cause?: Cause;
}

const version = 1;

export interface AlertBookState {
  readonly version: typeof version;
  readonly appliedOffset: number;
  /** Oldest change first. */
  readonly entries: readonly AlertEntry[];
}

/** Alerts kept; resolved ones go first, the oldest of them first. */
const entriesMax = 1000;

export class AlertBook {
  #appliedOffset: number;
  readonly #entries = new Map<string, AlertEntry>();

  /** @throws OtherVersionEntry where a newer version has kept it. */
  constructor(state: AlertBookState | undefined) {
    if (state !== undefined) checkVersion("the book of alerts", state.version, version);
    this.#appliedOffset = state?.appliedOffset ?? 0;
    for (const entry of state?.entries ?? []) this.#entries.set(entry.alert.fingerprint, entry);
  }

  /** Applies the findings of one log entry. @returns false when that entry was applied before. */
  apply(findings: readonly Finding[], offset: number): boolean {
    if (offset <= this.#appliedOffset) return false;
    for (const finding of findings) this.#applyOne(finding);
    this.#appliedOffset = offset;
    this.#forgetOldest();
    return true;
  }

  /** Newest first, each with its cause as far as it is known. */
  alerts(): readonly Alert[] {
    return [...this.#entries.values()].map(withCause).reverse();
  }

  /** Alerts whose cause is worth asking for: firing and unexplained, or of an incident that has since doubled or ended. */
  unexplained(): readonly CauseQuestion[] {
    return [...this.#entries.values()].flatMap(({ alert, cause, spokenAtMs = alert.startsAtMs }) => {
      if (!hasCause(alert) || !isWorthAsking(alert, cause, spokenAtMs)) return [];
      return [{ alert, offset: this.#appliedOffset, spokenAtMs }];
    });
  }

  /** Keeps the cause of an alert. It is dropped when the incident is another by now, and what is known outlives what is not. */
  explain({ fingerprint: id, startsAtMs }: Alert, cause: Cause): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.alert.startsAtMs !== startsAtMs) return;
    const kept =
      !cause.isKnown && entry.cause?.isKnown === true ? { ...entry.cause, spokenAtMs: cause.spokenAtMs } : cause;
    this.#entries.set(id, { ...entry, cause: kept });
  }

  /** Alerts whose present status this channel has not been told. */
  untold(channel: string): readonly Alert[] {
    const waiting: Alert[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.told[channel] === entry.alert.status) continue;
      waiting.push(withCause(entry));
    }
    return waiting;
  }

  told(channel: string, alert: Alert): void {
    const entry = this.#entries.get(alert.fingerprint);
    if (entry === undefined || entry.alert.startsAtMs !== alert.startsAtMs) return;
    this.#entries.set(alert.fingerprint, { ...entry, told: { ...entry.told, [channel]: alert.status } });
  }

  state(): AlertBookState {
    return { version, appliedOffset: this.#appliedOffset, entries: [...this.#entries.values()] };
  }

  #applyOne(finding: Finding): void {
    const labels = alertLabels(finding);
    const id = fingerprint(finding.kind, labels);
    const known = this.#entries.get(id);
    const open = known?.alert.status === "firing" ? known.alert : undefined;
    if (finding.status === "resolved" && open === undefined) return;
    const alert: Alert = {
      fingerprint: id,
      kind: finding.kind,
      status: finding.status,
      severity: finding.severity,
      labels,
      annotations: alertAnnotations(finding),
      startsAtMs: open?.startsAtMs ?? finding.onsetMs,
      endsAtMs: finding.status === "resolved" ? finding.atMs : null,
      unit: finding.unit,
      observed: finding.observed,
      expected: finding.expected,
      impactNanoUsd: finding.impactNanoUsd,
    };
    // A new incident under an old fingerprint has told nobody yet.
    this.#entries.delete(id);
    const kept = open === undefined ? undefined : known?.cause;
    const cause = kept === undefined ? {} : { cause: kept };
    // A ticket that has become a page is told as one.
    const isLouder = open?.severity === "ticket" && finding.severity === "page";
    const told = open === undefined || isLouder ? {} : (known?.told ?? {});
    this.#entries.set(id, { alert, told, spokenAtMs: finding.atMs, ...cause });
  }

  #forgetOldest(): void {
    for (const [id, { alert }] of this.#entries) {
      if (this.#entries.size <= entriesMax) return;
      if (alert.status === "resolved") this.#entries.delete(id);
    }
  }
}

function withCause({ alert, cause }: AlertEntry): Alert {
  return cause === undefined ? alert : { ...alert, annotations: { ...alert.annotations, ...cause.annotations } };
}

function isWorthAsking({ status, startsAtMs }: Alert, cause: Cause | undefined, spokenAtMs: number): boolean {
  if (cause === undefined) return status === "firing";
  if (spokenAtMs <= cause.spokenAtMs) return false;
  const hasDoubled = spokenAtMs - startsAtMs >= 2 * (cause.spokenAtMs - startsAtMs);
  return !cause.isKnown || status === "resolved" || hasDoubled;
}
