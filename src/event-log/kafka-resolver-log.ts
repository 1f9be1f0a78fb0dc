/**
 * The resolver's side of the usage log on Kafka, for one partition of the spans log. A step is one transaction: entries
 * into the usage topic, what is remembered into the memory topic, and the place in the spans topic. Its transactional id
 * belongs to the partition, so that whoever opens it next undoes what a former owner has not committed, and ends it.
 *
 * The memory is held in lmdb on local disk, a copy that may be lost: at a start it is brought up to date from the memory
 * topic, from where the copy ends or from one horizon before the last step.
 */

import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { open, type RootDatabase } from "lmdb";
import { deadLetterMessages, type LetterSource, type ParkedEntry } from "./dead-letter.ts";
import type { DiskSpace } from "./disk-space.ts";
import type { Commit, KafkaClient, KafkaMessage, KafkaReader, KafkaRecord, KafkaTransactions } from "./kafka-client.ts";
import { groupNames, type KafkaTopics, repriceShareKey } from "./kafka-topics.ts";
import { type Hole, holeName, LmdbResolverState } from "./lmdb-resolver-state.ts";
import { decodeStep, encodeStep, type RememberedStep } from "./memory-codec.ts";
import type { TraceIndexOptions } from "./trace-index.ts";
import { CorruptEntry, OtherVersionEntry } from "./unreadable-entry.ts";
import { type ResolverLog, type ResolverStep, type SeenSpan, type SeenTrace, spansPerTraceMax } from "./usage-log.ts";

export interface KafkaResolverOptions {
  readonly client: KafkaClient;
  readonly prefix: string;
  readonly topics: KafkaTopics;
  /** Of the spans topic; the memory topic has the same. */
  readonly partition: number;
  /** Of each topic. */
  readonly partitions: number;
  /** For the copy, of this partition alone. */
  readonly directory: string;
  readonly identities: TraceIndexOptions;
  /** Of the disk with the copy. */
  readonly space?: DiskSpace;
  /** Told of entries that were put aside. */
  readonly parked?: (at: Omit<LetterSource, "offset">, entries: readonly ParkedEntry[]) => void;
  /** Told of each step of the memory that cannot be read: its spans are resolved once more (`Hole`). */
  readonly forgotten?: (error: Error) => void;
  readonly now: () => number;
  /** Where the copy stands; by default lmdb in the directory. */
  readonly copy?: CopyPlace;
}

/** What stays on the local disk of a process, or does not. */
export interface CopyPlace {
  open(): RootDatabase;
  remove(): void;
}

/** Name of the resolvers' group, without its prefix. */
export const resolverGroup = groupNames.resolver;
/** A hole that was found and not mended yet, in the copy alone. */
const pendingName = "memory.hole.pending";
/** The copy holds the memory topic up to here. */
const copiedName = "memory.copied";
/** Of the last message in it: another prefix's, cluster's or recreated topic's copy ends with another. */
const digestName = "memory.digest";
/**
 * Spans arrive by the clocks of collectors, and a message of the memory has the time of the resolver that wrote it: one
 * whose clock is behind writes, as it seems, before the spans have come. The doctor calls a minute a failure.
 */
const clockAllowanceMs = 5 * 60_000;
const fetchBytesMax = 8 * 1024 * 1024;
const waitMs = 200;

export class KafkaResolverLog implements ResolverLog {
  readonly partitions: number;
  readonly clockOf: readonly number[];
  readonly parks = true;
  readonly accounts = false;
  readonly #options: KafkaResolverOptions;
  readonly #transactions: KafkaTransactions;
  readonly #copy: RootDatabase;
  readonly memory: LmdbResolverState;
  #inputOffset: number;
  /** When the newest span up to there had arrived, as the group's place says it; "" where it does not. */
  #lastArrival: string;
  /** To be written into the memory with the next step, which begins to mend it. */
  #hole: Hole | null;

  private constructor(
    options: KafkaResolverOptions,
    transactions: KafkaTransactions,
    copy: Copy,
    { offset, metadata, hole }: Place,
  ) {
    this.#options = options;
    this.#transactions = transactions;
    this.#copy = copy.environment;
    this.memory = copy.state;
    this.#inputOffset = offset;
    this.#lastArrival = metadata;
    this.#hole = hole;
    this.partitions = options.partitions;
    this.clockOf = [options.partition];
  }

  /** Takes the partition over; resolves when its memory is complete. */
  static async open(options: KafkaResolverOptions): Promise<KafkaResolverLog> {
    const { client, prefix, topics, partition } = options;
    refuseFullDisk(options);
    // First: from here on nobody else adds to the memory.
    const transactions = await client.transactions(`${prefix}.${resolverGroup}.${partition}`);
    let copy: Copy | undefined;
    try {
      const group = await client.committed(`${prefix}.${resolverGroup}`, topics.spans);
      const place = group.get(partition) ?? { offset: 0, metadata: "" };
      copy = await openCopy(options, place.metadata);
      const hole = await remember(options, copy);
      // The memory may be older than it is kept; the group's place moves in the same transactions.
      const offset = hole?.inputOffset ?? Math.max(copy.state.inputOffset(), place.offset);
      return new KafkaResolverLog(options, transactions, copy, { ...place, offset, hole });
    } catch (error) {
      await copy?.environment.close();
      await transactions.close();
      throw error;
    }
  }

  async commit(said: ResolverStep): Promise<readonly number[]> {
    const step = this.#hole === null ? said : { ...said, state: { ...said.state, [holeName]: this.#hole } };
    const { prefix, topics, partition } = this.#options;
    const entries = step.entries.map(({ partition: to, payload }) => ({
      topic: topics.usage,
      partition: to,
      value: payload,
    }));
    const source = { topic: topics.spans, partition };
    const letters = deadLetterMessages(topics.deadLetters, source, step.parked ?? []);
    const { inputArrivedAtMs = step.arrivedAtMs } = step;
    const lastArrival = step.inputOffset > this.#inputOffset ? String(inputArrivedAtMs) : this.#lastArrival;
    const taught = this.#teaches(step) ? encodeStep(step) : null;
    const memory = taught === null ? [] : [{ topic: topics.memory, partition, value: taught }];
    const numbers = step.numbers == null ? [] : [{ topic: topics.numbers, partition: 0, value: step.numbers }];
    const repriced = this.#repricedIn(step);
    const offsets = await this.#transactions.commit([...entries, ...letters, ...numbers, ...repriced, ...memory], {
      group: `${prefix}.${resolverGroup}`,
      topic: topics.spans,
      partition,
      offset: step.inputOffset,
      metadata: lastArrival,
    });
    if (taught !== null)
      await putStep({ environment: this.#copy, state: this.memory }, step, copiedTo(offsets.at(-1) ?? 0, taught));
    this.#inputOffset = step.inputOffset;
    this.#hole = null;
    if (letters.length > 0) this.#options.parked?.(source, step.parked ?? []);
    this.#lastArrival = lastArrival;
    return offsets.slice(0, entries.length).map((offset) => offset + 1);
  }

  #repricedIn({ repriced }: ResolverStep): readonly KafkaMessage[] {
    const { topics, partition } = this.#options;
    if (repriced === undefined) return [];
    return [{ topic: topics.reprices, partition: 0, key: repriceShareKey(partition), value: repriced }];
  }

  /** A tick leaves nothing to remember. */
  #teaches({ inputOffset, traces, wrappers, state }: ResolverStep): boolean {
    return inputOffset > this.#inputOffset || traces.size + wrappers.size + Object.keys(state).length > 0;
  }

  inputOffset(): number {
    return this.#inputOffset;
  }

  async close(): Promise<void> {
    await this.#transactions.close().catch(() => undefined);
    await this.#copy.close();
  }
}

interface Place extends Commit {
  readonly hole: Hole | null;
}

/** lmdb does not survive a full disk (`DiskSpace`). */
function refuseFullDisk({ space, directory }: KafkaResolverOptions): void {
  if (space === undefined || space.freeBytes() >= space.freeBytesMin) return;
  throw new Error(
    `not enough space for what is remembered in ${directory}: ${megabytes(space.freeBytes())} MB free, ${megabytes(space.freeBytesMin)} MB needed (disk.free_bytes_min); free some, or lower identity.entries_max and identity.hours`,
  );
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

interface Copy {
  readonly environment: RootDatabase;
  readonly state: LmdbResolverState;
  /** Of the memory topic, the next message to be read. */
  readonly from: number;
}

/**
 * The copy on disk where the topic goes on from there, else an empty one. The topic's it is if its last message is: a data
 * directory may have served another prefix, and a topic may have been made anew. The horizon is counted back from when the last
 * step's spans had arrived, however long ago that is: what comes next in the log arrived right after them, and may repeat
 * them, though nobody resolved anything since.
 * @param lastArrival of the group's place: milliseconds; "" from before it was written there.
 */
async function openCopy(options: KafkaResolverOptions, lastArrival: string): Promise<Copy> {
  const { client, topics, partition, identities, now, copy: place = lmdbIn(options.directory) } = options;
  const lastMs = lastArrival === "" ? now() : Math.min(arrivalOf(lastArrival), now());
  const fromMs = lastMs - identities.horizonMs - clockAllowanceMs;
  const start = await client.startOffset(topics.memory, partition, fromMs);
  const end = (await client.endOffsets(topics.memory)).get(partition) ?? 0;
  const known = await knownCopyIn(place, identities);
  const copied = (known?.state.state(copiedName) as number | undefined) ?? 0;
  const reaches = copied >= start && copied <= end;
  if (known !== null && reaches && (copied === 0 || (await endsWith(options, known.state, copied))))
    return { ...known, from: copied };
  await known?.environment.close();
  place.remove();
  return { ...copyIn(place, identities), from: start };
}

/** @throws OtherVersionEntry where it is no time: this version has written no other. */
export function arrivalOf(metadata: string): number {
  if (/^\d{1,16}$/.test(metadata)) return Number(metadata);
  throw new OtherVersionEntry(
    `the place of the resolvers' group says ${JSON.stringify(metadata.slice(0, 100))}, and this Burnwatch reads a time: start the version that wrote it`,
  );
}

/** Whether the message that the copy ends with is the topic's. One that is kept no longer leaves it unknown: false. */
async function endsWith(
  { client, topics, partition }: KafkaResolverOptions,
  state: LmdbResolverState,
  copied: number,
): Promise<boolean> {
  if ((await client.startOffset(topics.memory, partition)) >= copied) return false;
  const reader = await client.reader(topics.memory, partition);
  try {
    const { records } = await reader.fetch({ offset: copied - 1, bytesMax: 1, waitMs });
    const last = records.find(({ offset }) => offset === copied - 1);
    return last !== undefined && copiedTo(last.offset, last.value).digest === state.state(digestName);
  } finally {
    await reader.close();
  }
}

function lmdbIn(directory: string): CopyPlace {
  return {
    open: () => open({ path: directory, maxDbs: 16, noSubdir: false, noMemInit: true, overlappingSync: false }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Null where a newer version has left one that cannot be read here: it is no more than a copy. */
async function knownCopyIn(place: CopyPlace, identities: TraceIndexOptions): Promise<Omit<Copy, "from"> | null> {
  const environment = place.open();
  try {
    return { environment, state: new LmdbResolverState(environment, identities) };
  } catch (error) {
    await environment.close();
    if (error instanceof OtherVersionEntry) return null;
    throw error;
  }
}

function copyIn(place: CopyPlace, identities: TraceIndexOptions): Omit<Copy, "from"> {
  const environment = place.open();
  return { environment, state: new LmdbResolverState(environment, identities) };
}

/** Brings the copy up to date. @returns a hole that nobody has begun to mend. */
async function remember(options: KafkaResolverOptions, copy: Copy): Promise<Hole | null> {
  const { client, topics, partition } = options;
  const end = (await client.endOffsets(topics.memory)).get(partition) ?? 0;
  const holes = copy.from < end ? await rememberUpTo(end, options, copy) : [];
  const mended = (copy.state.state(holeName) as Hole | undefined)?.offset ?? -1;
  // Found by a process that ended before it had mended it: the copy has gone past it.
  const pending = copy.state.state(pendingName) as Hole | undefined;
  const [first, ...more] = [pending ?? [], holes].flat().filter(({ offset }) => offset > mended);
  if (first === undefined) return null;
  const start = await client.startOffset(topics.spans, partition);
  const hole = { ...(more.at(-1) ?? first), inputOffset: Math.max(first.inputOffset, start) };
  await copy.state.putState(pendingName, hole);
  copy.state.forget(hole);
  return hole;
}

async function rememberUpTo(end: number, options: KafkaResolverOptions, copy: Copy): Promise<readonly Hole[]> {
  const { client, topics, partition } = options;
  const holes: Hole[] = [];
  const reader: KafkaReader = await client.reader(topics.memory, partition);
  try {
    for (let offset = copy.from; offset < end; ) {
      const { records, nextOffset } = await reader.fetch({ offset, bytesMax: fetchBytesMax, waitMs });
      for (const { offset: at, value } of records) {
        const found = await rememberOne(options, copy, { offset: at, value });
        if (found !== null) holes.push(found);
      }
      offset = nextOffset;
    }
  } finally {
    await reader.close();
  }
  return holes;
}

async function rememberOne(
  { forgotten, now, topics, partition }: KafkaResolverOptions,
  copy: Copy,
  { offset, value }: KafkaRecord,
): Promise<Hole | null> {
  try {
    await putRemembered(copy, decodeStep(value), copiedTo(offset, value));
    return null;
  } catch (error) {
    if (!(error instanceof CorruptEntry)) throw error;
    forgotten?.(new CorruptEntry(`${topics.memory}/${partition} at ${offset}: ${error.message}`));
    return { offset, untilMs: now(), inputOffset: copy.state.inputOffset() };
  }
}

/** One step at a time: within a transaction its own changes cannot be read. */
async function putRemembered({ environment, state }: Copy, step: RememberedStep, copied: Copied): Promise<void> {
  const traces = new Map<SeenTrace, readonly SeenSpan[]>();
  for (const { key, spans } of step.traces) {
    const trace = state.trace(key);
    for (const span of spans) {
      const known = trace.spans.get(span.spanId);
      if (known !== undefined) span.place = known.place;
      // Beyond that many, spans are known one by one, as they were when the step was made.
      if (known !== undefined || trace.spans.size < spansPerTraceMax) trace.spans.set(span.spanId, span);
    }
    traces.set(trace, spans);
  }
  await putStep({ environment, state }, { ...step, traces }, copied);
}

async function putStep(
  { environment, state }: Omit<Copy, "from">,
  step: Omit<ResolverStep, "entries">,
  { copied, digest }: Copied,
): Promise<void> {
  await environment.batch(() => {
    state.put(step);
    state.putState(copiedName, copied);
    state.putState(digestName, digest);
  });
  // What was put is read again from now on, and the snapshot of this turn of the event loop may be of before.
  environment.resetReadTxn();
}

/** Where a copy ends. */
interface Copied {
  readonly copied: number;
  readonly digest: string;
}

function copiedTo(offset: number, message: Uint8Array): Copied {
  return { copied: offset + 1, digest: createHash("sha256").update(message).digest("hex") };
}
