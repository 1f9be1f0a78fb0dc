/**
 * Usage log to store, exactly once: each batch is planned durably before the insert, and a plan found at start is
 * repeated with the same token over the same entries, so that the store drops what it already has.
 */

import type { ParkedEntry } from "../event-log/dead-letter.ts";
import { type DiskSpace, NoRoomError } from "../event-log/disk-space.ts";
import type { LogEntry } from "../event-log/event-log.ts";
import type { ConsumedLog } from "../event-log/usage-log.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { Store } from "../store/store.ts";
import type { FreshEntries } from "./fresh-entries.ts";
import { placeForInsert } from "./insert-pace.ts";
import { pause } from "./pause.ts";
import { entriesToPlan, type OffsetEntry, type Plan, savedPlan, shardOrder } from "./plan.ts";
import { readEntry } from "./read-entry.ts";
import { dayOf } from "./split-by-days.ts";
import { decodeUsageEntry, type UsageEntry } from "./usage-codec.ts";

export interface WriterOptions {
  /** Names the log in the tokens: two installations that share a database must differ. */
  readonly logId: string;
  readonly usage: ConsumedLog;
  /** For a writer in the process of the resolver; null elsewhere. */
  readonly fresh: FreshEntries<UsageEntry> | null;
  readonly store: Store;
  /** Each statement waits for room: the store needs more than the rows, since it merges in the background. */
  readonly space: DiskSpace;
  readonly rowsMax: number;
  /**
   * False where others insert into the same tables meanwhile: then days are not compared, repaired or sealed, since that
   * needs them to stand still, and the store's deduplication window is shared.
   */
  readonly alone: boolean;
  /** Waits this long for a fuller batch. */
  readonly lingerMs: number;
  readonly now: () => number;
  readonly observe: (written: { readonly rows: number; readonly milliseconds: number }) => void;
  /** Told of rollups that had to be made anew after an unclean stop. */
  readonly repaired: (rollups: readonly string[]) => void;
  /** Told where the writer waits, so that the store can merge what it has. */
  readonly slowed?: (shard: string, waitMs: number) => void;
  /** Told of each failed insert; the writer tries again until it succeeds. */
  readonly failed: (error: Error, retryInMs: number) => void;
}

interface WriterMark {
  readonly offset: number;
  readonly plan: Plan | null;
}

/** Up to `to`; without a limit on rows all of it is waited for. */
interface ReadLimits {
  readonly to: number;
  readonly rowsMax: number | null;
}

const markName = "writer";
const unreadable: UsageEntry = { arrivedAtMs: 0, records: [] };
const entriesPerRead = 256;
/**
 * A plan younger than this is certainly within the store's deduplication window of 10,000 parts: nothing else was inserted
 * since, or what some hundred others insert in a minute.
 */
const windowTrustedMs = { alone: 15 * 60_000, among: 60_000 };
const sealEveryMs = 3_600_000;
/** A day is closed when it ended this long ago: what comes later opens it again. */
const closedAfterMs = 86_400_000;
const retryMinMs = 250;
const retryMaxMs = 30_000;

export class Writer {
  readonly #options: WriterOptions;
  readonly #stopping = new AbortController();
  #hurry = new AbortController();
  #mark: WriterMark;
  #sealed: Set<string> = new Set();
  #sealedAtMs = 0;
  #running: Promise<void> | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    const { offset, plan } = (options.usage.mark(markName) as WriterMark | undefined) ?? { offset: 0, plan: null };
    this.#mark = { offset, plan: plan === null ? null : savedPlan(plan, options.store.shards[0] ?? "") };
  }

  /** Begins to work, first with the plan that an unclean stop left behind. */
  start(): { failed: Promise<void> } {
    this.#running = this.#run();
    return { failed: this.#running };
  }

  /** Finishes the insert at hand; what is not written yet stays in the log. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.catch(() => undefined);
  }

  /** Every entry up to here is in the store. */
  offset(): number {
    return this.#mark.offset;
  }

  /** Somebody waits to read what is in the log: the next batch does not linger for more. */
  hurry(): void {
    this.#hurry.abort();
  }

  async #run(): Promise<void> {
    const { usage } = this.#options;
    const { signal } = this.#stopping;
    this.#sealed = new Set(await this.#untilDone(() => this.#options.store.sealedDays()));
    if (this.#mark.plan !== null) await this.#recover(this.#mark.plan);
    while (!signal.aborted) {
      await this.#sealWhenDue();
      await usage.entries.waitFor(this.#mark.offset, AbortSignal.any([signal, AbortSignal.timeout(sealEveryMs)]));
      const place = await this.#place();
      if (place === undefined) break;
      const entries = await this.#gather(place.rowsMax);
      if (entries.length === 0) continue;
      const parked = parkedOf(entries);
      const records = entries.reduce((sum, { entry }) => sum + entry.records.length, 0);
      const to = entries.at(-1)?.offset ?? this.#mark.offset;
      if (records === 0) {
        // Ticks alone need no durable mark: reading them again after a crash is harmless. Elsewhere somebody may wait
        // to see how far this has come.
        if (!this.#options.alone) await this.#save({ offset: to, plan: null }, parked);
        else this.#mark = { offset: to, plan: null };
        continue;
      }
      await this.#carryOut(await this.#plan(to, place.shard), entries);
    }
  }

  /** Where the next batch goes, once there is room for its parts; undefined when the writer was told to stop first. */
  #place(): Promise<{ readonly shard: string; readonly rowsMax: number } | undefined> {
    const { store, logId, rowsMax, slowed } = this.#options;
    const shards = shardOrder(store.shards, logId, this.#mark.offset + 1);
    return placeForInsert(store, {
      shards,
      rowsMax,
      signal: this.#stopping.signal,
      slowed: slowed ?? (() => undefined),
    });
  }

  /** Waits until a batch is full or the first of its entries has lingered long enough. */
  async #gather(rowsMax: number): Promise<readonly OffsetEntry[]> {
    const { usage, lingerMs } = this.#options;
    const deadline = AbortSignal.any([this.#stopping.signal, this.#hurry.signal, AbortSignal.timeout(lingerMs)]);
    // What was read while it lingers is not read once more.
    const entries: OffsetEntry[] = [];
    for (;;) {
      const { ended } = await this.#readOn(entries, { to: usage.entries.lastOffset(), rowsMax });
      const take = entriesToPlan(entries, { rowsMax });
      const rows = entries.reduce((sum, { entry }) => sum + entry.records.length, 0);
      if (take < entries.length || rows >= rowsMax || ended || deadline.aborted) {
        if (this.#hurry.signal.aborted) this.#hurry = new AbortController();
        return entries.slice(0, take);
      }
      await usage.entries.waitFor(entries.at(-1)?.offset ?? this.#mark.offset, deadline);
    }
  }

  /**
   * Adds what comes behind the entries found so far, which begin after the mark. What cannot be read is among them, without
   * records. `ended` where the batch must end before the next one.
   */
  async #readOn(found: OffsetEntry[], { to, rowsMax: limit }: ReadLimits): Promise<{ readonly ended: boolean }> {
    const { usage, fresh, now } = this.#options;
    const rowsMax = limit ?? Number.MAX_SAFE_INTEGER;
    let rows = found.reduce((sum, { entry }) => sum + entry.records.length, 0);
    const parked = [...parkedOf(found)];
    let after = found.at(-1)?.offset ?? this.#mark.offset;
    while (rows < rowsMax && after < to) {
      const entries: readonly LogEntry[] = await usage.entries.read(after, entriesPerRead);
      if (entries.length === 0) {
        if (limit !== null || this.#stopping.signal.aborted) break;
        // What was planned was read once. Whoever leads the partition since a moment may not show it again yet.
        await usage.entries.waitFor(after, this.#stopping.signal);
        continue;
      }
      for (const { offset, payload } of entries) {
        if (offset > to || rows >= rowsMax) return { ended: false };
        const decode = () => fresh?.get(offset) ?? decodeUsageEntry(payload);
        const read = readEntry({ offset, payload }, decode, {
          parks: usage.parks,
          first: limit === null || found.length === 0,
          // What was planned together stays together.
          parked: limit === null ? [] : parked,
          now,
        });
        if (read === null) return { ended: true };
        if ("parked" in read) parked.push(read.parked);
        const entry = "parked" in read ? { ...read, offset, entry: unreadable } : { ...read, offset };
        found.push(entry);
        rows += entry.entry.records.length;
        after = offset;
      }
    }
    return { ended: false };
  }

  async #plan(to: number, shard: string): Promise<Plan> {
    const { logId, now } = this.#options;
    const from = this.#mark.offset + 1;
    const plan: Plan = { version: 2, shard, token: `${logId}-${from}-${to}`, from, to, plannedAtMs: now() };
    await this.#save({ offset: this.#mark.offset, plan });
    return plan;
  }

  /**
   * Repeats the plan that an unclean stop left behind, then compares base and rollups of its days: a kill may have come
   * between the two.
   */
  async #recover(plan: Plan): Promise<void> {
    const { store, alone } = this.#options;
    // All of it, whatever the limit is now: what is left out here would be left out for ever.
    const entries: OffsetEntry[] = [];
    await this.#readOn(entries, { to: plan.to, rowsMax: null });
    const last = entries.at(-1)?.offset;
    if (last !== plan.to && this.#stopping.signal.aborted) return;
    // Nothing of it is kept any more, which the log has told: it is stored, or nobody can store it.
    if (last === undefined) return this.#finish(plan, []);
    if (last !== plan.to) {
      throw new Error(
        `the log does not hold entry ${plan.to} of the planned insert ${plan.token} any more (the last one before it is ${last}): its records cannot be told from those that are stored; see whether the topic was cut or made anew`,
      );
    }
    if (!(await this.#insert(plan, entries))) return;
    const days = daysOf(entries.flatMap(({ entry }) => entry.records));
    const repaired = alone ? await this.#untilDone(() => store.repairRollups(days)) : [];
    if (repaired === undefined) return;
    if (repaired.length > 0) this.#options.repaired(repaired);
    await this.#finish(plan, entries);
  }

  async #carryOut(plan: Plan, entries: readonly OffsetEntry[]): Promise<void> {
    if (await this.#insert(plan, entries)) await this.#finish(plan, entries);
  }

  /**
   * Tries until the batch is in, whatever became of earlier tries, here or in another process: within the store's
   * deduplication window the same token over the same entries changes nothing that is there; a plan that may be older is
   * looked up, day by day, and only what is missing is inserted.
   */
  async #insert(plan: Plan, entries: readonly OffsetEntry[]): Promise<boolean> {
    const { store, now, observe } = this.#options;
    const all = entries.flatMap(({ entry }) => entry.records);
    const days = daysOf(all);
    const startedAtMs = now();
    const rows = await this.#untilDone(async () => {
      const { token, shard } = plan;
      if (!store.shards.includes(shard))
        throw new Error(
          `the batch ${token} was planned for shard ${shard}, and there are only ${store.shards.join(", ")}: put that shard back into clickhouse.shards, at its place`,
        );
      const there = (await this.#mayBeForgotten(plan)) ? await store.batchDays(token, days, shard) : new Map();
      const records = there.size === 0 ? all : all.filter((record) => !there.has(textOfDay(dayOf(record))));
      await this.#open(records);
      await store.insert({ token, records, shard });
      return records.length;
    });
    if (rows === undefined) return false;
    observe({ rows, milliseconds: now() - startedAtMs });
    return true;
  }

  /**
   * True when the plan's token may have left the window. While the store itself was away nobody pushed it out, and it must
   * be used: the rollups of an insert that a server died in heal by the same token alone.
   */
  async #mayBeForgotten({ plannedAtMs, shard }: Plan): Promise<boolean> {
    const { store, now, alone } = this.#options;
    if (now() - plannedAtMs <= (alone ? windowTrustedMs.alone : windowTrustedMs.among)) return false;
    return alone || (await store.uptimeMs(shard)) > windowTrustedMs.among;
  }

  /** A day that takes late records is no longer what was sealed. */
  async #open(records: readonly UsageRecord[]): Promise<void> {
    if (this.#sealed.size === 0) return;
    const days = daysOf(records).filter((day) => this.#sealed.has(day));
    if (days.length === 0) return;
    await this.#options.store.openDays(days);
    for (const day of days) this.#sealed.delete(day);
  }

  /** Between two batches, so that nothing is inserted into a day while it is compared. */
  async #sealWhenDue(): Promise<void> {
    const { store, space, now, failed, alone } = this.#options;
    if (!alone || now() - this.#sealedAtMs < sealEveryMs || !space.hasRoom()) return;
    this.#sealedAtMs = now();
    try {
      const before = new Date(now() - closedAfterMs).toISOString().slice(0, 10);
      for (const day of await store.sealDays(before)) this.#sealed.add(day);
    } catch (error) {
      failed(error as Error, sealEveryMs);
    }
  }

  /** What could not be read is put aside with the move past it: a plan that is repeated finds it once more. */
  async #finish(plan: Plan, entries: readonly OffsetEntry[]): Promise<void> {
    await this.#save({ offset: plan.to, plan: null }, parkedOf(entries));
  }

  async #save(mark: WriterMark, parked: readonly ParkedEntry[] = []): Promise<void> {
    this.#mark = mark;
    await this.#options.usage.saveMark(markName, mark, parked);
  }

  /** Tries until it succeeds; undefined when the writer was told to stop first. */
  async #untilDone<Value>(attempt: () => Promise<Value>): Promise<Value | undefined> {
    const { signal } = this.#stopping;
    for (let retryMs = retryMinMs; ; retryMs = Math.min(retryMs * 2, retryMaxMs)) {
      try {
        await this.#options.space.untilRoom();
        return await attempt();
      } catch (error) {
        if (error instanceof NoRoomError) return undefined;
        this.#options.failed(error as Error, retryMs);
        if (!signal.aborted) await pause(retryMs, signal);
        if (signal.aborted) return undefined;
      }
    }
  }
}

function parkedOf(entries: readonly OffsetEntry[]): readonly ParkedEntry[] {
  return entries.flatMap(({ parked }) => parked ?? []);
}

function daysOf(records: readonly UsageRecord[]): string[] {
  return Array.from(new Set(records.map(dayOf)), textOfDay);
}

function textOfDay(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10);
}
