/**
 * Findings become alerts: one per incident, firing once, resolved by itself. What was applied is remembered with the
 * offset of the log it came from, so that findings told again after a restart change nothing.
 */

import type { Alert, Finding } from "../model/finding.ts";
import { alertAnnotations, alertLabels } from "./explain.ts";
import { fingerprint } from "./fingerprint.ts";

export interface AlertEntry {
  readonly alert: Alert;
  /** What each channel was last told; absent when it was told nothing. */
  readonly told: Readonly<Record<string, Alert["status"]>>;
}

export interface AlertBookState {
  readonly version: 1;
  readonly appliedOffset: number;
  /** Oldest change first. */
  readonly entries: readonly AlertEntry[];
}

/** Alerts kept; resolved ones go first, the oldest of them first. */
const entriesMax = 1000;

export class AlertBook {
  #appliedOffset: number;
  readonly #entries = new Map<string, AlertEntry>();

  constructor(state: AlertBookState | undefined) {
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

  /** Newest first. */
  alerts(): readonly Alert[] {
    return [...this.#entries.values()].map(({ alert }) => alert).reverse();
  }

  /** Alerts whose present status this channel has not been told. */
  untold(channel: string): readonly Alert[] {
    const waiting: Alert[] = [];
    for (const { alert, told } of this.#entries.values()) {
      if (told[channel] === alert.status) continue;
      waiting.push(alert);
    }
    return waiting;
  }

  told(channel: string, alert: Alert): void {
    const entry = this.#entries.get(alert.fingerprint);
    if (entry === undefined || entry.alert.startsAtMs !== alert.startsAtMs) return;
    this.#entries.set(alert.fingerprint, { alert: entry.alert, told: { ...entry.told, [channel]: alert.status } });
  }

  state(): AlertBookState {
    return { version: 1, appliedOffset: this.#appliedOffset, entries: [...this.#entries.values()] };
  }

  #applyOne(finding: Finding): void {
    const labels = alertLabels(finding);
    const id = fingerprint(finding.kind, labels);
    const known = this.#entries.get(id);
    const open = known?.alert.status === "firing" ? known : undefined;
    if (finding.status === "resolved" && open === undefined) return;
    const alert: Alert = {
      fingerprint: id,
      kind: finding.kind,
      status: finding.status,
      severity: finding.severity,
      labels,
      annotations: alertAnnotations(finding),
      startsAtMs: open?.alert.startsAtMs ?? finding.onsetMs,
      endsAtMs: finding.status === "resolved" ? finding.atMs : null,
      unit: finding.unit,
      observed: finding.observed,
      expected: finding.expected,
      impactNanoUsd: finding.impactNanoUsd,
    };
    // A new incident under an old fingerprint has told nobody yet.
    this.#entries.delete(id);
    this.#entries.set(id, { alert, told: open?.told ?? {} });
  }

  #forgetOldest(): void {
    for (const [id, { alert }] of this.#entries) {
      if (this.#entries.size <= entriesMax) return;
      if (alert.status === "resolved") this.#entries.delete(id);
    }
  }
}
