/**
 * ClickHouse in memory, as far as a writer sees it: parts of days, a window of tokens that counts parts, rollups that are
 * written after their base and drop repeats by themselves, answers that are lost after the work.
 */

import { identityKey } from "../../src/event-log/usage-log.ts";
import type { Random } from "../../src/ingest/otlp-random.ts";
import type { Wanted } from "../../src/ingest/stored-records.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import type { Batch, Store } from "../../src/store/store.ts";

export interface StoreFaults {
  /** Nobody gets through. */
  away: boolean;
  /** In how many inserts one ends before it began, between two parts, between base and rollup, or without an answer. */
  failOneIn: number;
  /** Which of those; null for any. */
  failAt: "before" | "between days" | "before the rollup" | "answer lost" | null;
  latencyMsMax: number;
}

const places = ["before", "before the rollup", "between days", "answer lost"] as const;

const dayMs = 86_400_000;

/** The last parts, by token and day; what is older is forgotten. */
class Window {
  readonly #size: number;
  readonly #known = new Set<string>();

  constructor(size: number) {
    this.#size = size;
  }

  /** True where it is new. */
  add(part: string): boolean {
    if (this.#known.has(part)) return false;
    this.#known.add(part);
    if (this.#known.size > this.#size)
      for (const oldest of this.#known) {
        this.#known.delete(oldest);
        break;
      }
    return true;
  }
}

export class SimulatedStore {
  readonly faults: StoreFaults = { away: false, failOneIn: 0, failAt: null, latencyMsMax: 50 };
  /** Every row. */
  readonly rows: UsageRecord[] = [];
  /** Calls and nano-dollars by tenant and feature, of the rows and as the rollup says. */
  readonly rollup = new Map<string, { calls: number; nanoUsd: number }>();
  readonly #byIdentity = new Map<string, UsageRecord>();
  readonly #batches = new Map<string, Map<string, number>>();
  readonly #windows: { readonly base: Window; readonly rollup: Window };
  readonly #random: Random;
  #upSinceMs = 0;

  /** @param windowParts how many parts the engine remembers the tokens of. */
  constructor(random: Random, windowParts: number) {
    this.#random = random;
    this.#windows = { base: new Window(windowParts), rollup: new Window(windowParts) };
  }

  /** For the writers; what they do not ask for is not there. */
  asStore(): Store {
    const store: Pick<Store, "shards" | "insert" | "batchDays" | "sealedDays" | "uptimeMs" | "partPressure"> = {
      shards: ["1"],
      // Parts are merged at once here.
      partPressure: async () => ({ parts: 0, delayAt: 1000, throwAt: 3000 }),
      insert: (batch) => this.#insert(batch),
      batchDays: async (token, days) => {
        await this.#latency();
        const found = this.#batches.get(token) ?? new Map<string, number>();
        return new Map([...found].filter(([day]) => days.includes(day)));
      },
      sealedDays: async () => [],
      uptimeMs: async () => {
        await this.#latency();
        return Date.now() - this.#upSinceMs;
      },
    };
    return store as Store;
  }

  /** The newest revision of records, as the resolver asks the table for them. */
  async find(wanted: readonly Wanted[]): Promise<Map<string, UsageRecord>> {
    await this.#latency();
    const keys = wanted.map(identityKey);
    return new Map(
      keys.flatMap((key) => {
        const record = this.#byIdentity.get(key);
        return record === undefined ? [] : [[key, record] as const];
      }),
    );
  }

  /** It is there again after it was stopped, and whoever wrote meanwhile has not. */
  restarted(): void {
    this.faults.away = false;
    this.#upSinceMs = Date.now();
  }

  /** Others insert so many parts. */
  pushOut(parts: number): void {
    for (let part = 0; part < parts; part++) {
      this.#windows.base.add(`other ${this.#random(1 << 30)} ${part}`);
      this.#windows.rollup.add(`other ${this.#random(1 << 30)} ${part}`);
    }
  }

  async #insert({ token, records }: Batch): Promise<void> {
    const { failOneIn, failAt } = this.faults;
    const fails = failOneIn > 0 && this.#random(failOneIn) === 0;
    const place = fails ? (failAt ?? places[this.#random(places.length)]) : undefined;
    await this.#latency();
    const fail = (at: (typeof places)[number]) => {
      if (place === at) throw new Error(`insert ${token} failed at ${at}`);
    };
    fail("before");
    for (const [day, of] of Map.groupBy(records, dayOf)) {
      const part = `${token} ${day}`;
      if (this.#windows.base.add(part)) {
        for (const record of of) this.#addRow(record);
        const days = this.#batches.get(token) ?? new Map<string, number>();
        this.#batches.set(token, days);
        days.set(day, (days.get(day) ?? 0) + of.length);
      }
      fail("before the rollup");
      if (this.#windows.rollup.add(part)) for (const record of of) addTo(this.rollup, record);
      fail("between days");
    }
    await this.#latency();
    fail("answer lost");
  }

  #addRow(record: UsageRecord): void {
    this.rows.push(record);
    const key = identityKey(record);
    const known = this.#byIdentity.get(key);
    if (record.calls >= 0 && (known === undefined || record.revision > known.revision))
      this.#byIdentity.set(key, record);
  }

  async #latency(): Promise<void> {
    const milliseconds = this.#random(this.faults.latencyMsMax + 1);
    await new Promise((done) => setTimeout(done, milliseconds));
    if (this.faults.away) throw new Error("nobody answers");
  }
}

/** Sums as the rollup keeps them. */
export function addTo(sums: Map<string, { calls: number; nanoUsd: number }>, record: UsageRecord): void {
  const key = `${record.tenant} ${record.feature}`;
  const sum = sums.get(key) ?? { calls: 0, nanoUsd: 0 };
  sums.set(key, sum);
  sum.calls += record.calls;
  sum.nanoUsd += record.costNanoUsd ?? 0;
}

function dayOf({ startUs }: UsageRecord): string {
  return new Date(Math.floor(startUs / 1000 / dayMs) * dayMs).toISOString().slice(0, 10);
}
