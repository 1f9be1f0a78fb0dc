/**
 * The detectors of one machine: records and ticks in the order of the log go in, findings come out. What detectors claim is
 * folded into incidents at once; in a cluster the two are different processes.
 */

import { deserialize, serialize } from "node:v8";
import type { EnergyReading } from "../model/energy-reading.ts";
import type { Finding, IncidentName } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { Claimant, type ClaimantOptions, type SavedClaimant } from "./claimant.ts";
import {
  accept,
  defaultFold,
  type FoldSettings,
  type IncidentState,
  newIncidents,
  passTime,
  type RaisedClaim,
  raise,
} from "./incidents.ts";

export interface WatcherOptions extends ClaimantOptions {
  readonly fold?: FoldSettings;
}

interface Saved extends SavedClaimant {
  readonly incidents: IncidentState;
}

const nothing: readonly Finding[] = [];

export class Watcher {
  readonly #claimant: Claimant;
  readonly #incidents: IncidentState;
  readonly #fold: FoldSettings;

  /** @param snapshot what `snapshot` gave, by the same or an older list of detectors. */
  constructor(options: WatcherOptions, snapshot?: Uint8Array) {
    const saved = snapshot === undefined ? undefined : (deserialize(snapshot) as Saved);
    this.#claimant = new Claimant(options, saved);
    this.#incidents = saved?.incidents ?? newIncidents();
    this.#fold = options.fold ?? defaultFold;
  }

  get seriesCount(): number {
    return this.#claimant.seriesCount;
  }

  /** Everything that findings to come depend on. */
  snapshot(): Uint8Array {
    return serialize({ ...this.#claimant.saved(), incidents: this.#incidents } satisfies Saved);
  }

  /** Judges one record that arrived at `arrivedAtMs`. */
  observe(record: UsageRecord, arrivedAtMs: number): readonly Finding[] {
    const claims = this.#claimant.observe(record, arrivedAtMs);
    return claims.length === 0 ? nothing : this.#raise(claims, arrivedAtMs);
  }

  /** Takes a measurement of an instance. */
  measure(reading: EnergyReading, nowMs: number): readonly Finding[] {
    return this.#raise(this.#claimant.measure(reading, nowMs), nowMs);
  }

  /** Lets time pass, as a tick of the log tells it. */
  tick(nowMs: number): Finding[] {
    const findings = passTime(this.#incidents, nowMs, this.#fold);
    return [...findings, ...this.#raise(this.#claimant.tick(nowMs), nowMs)];
  }

  /** Ends an incident that somebody calls the new normal; its baselines begin anew. Of one that is not open, nothing. */
  accept(name: IncidentName, nowMs: number): readonly Finding[] {
    const accepted = accept(this.#incidents, name, nowMs);
    if (accepted === null) return nothing;
    for (const claim of accepted.claims) this.#claimant.accept(claim);
    return [accepted.finding];
  }

  #raise(claims: readonly RaisedClaim[], nowMs: number): readonly Finding[] {
    return claims.flatMap((claim) => raise(this.#incidents, claim, nowMs, this.#fold));
  }
}
