/**
 * The resolver's side of the usage log on Kafka, for one partition of the spans log. A step is one transaction: entries
 * into the usage topic, what is remembered into the memory topic, and the place in the spans topic. Its transactional id
 * belongs to the partition, so that whoever opens it next undoes what a former owner has not committed, and ends it.
 *
 * The memory is held in lmdb on local disk, a copy that may be lost: at a start it is brought up to date from the memory
 * topic, from where the copy ends or from one horizon before the last step.
 */

import { rmSync } from "node:fs";
import { open, type RootDatabase } from "lmdb";
import { deadLetterMessages, type LetterSource, type ParkedEntry } from "./dead-letter.ts";
import type { Commit, KafkaClient, KafkaMessage, KafkaReader, KafkaTransactions } from "./kafka-client.ts";
import { type KafkaTopics, repriceShareKey } from "./kafka-topics.ts";
import { LmdbResolverState } from "./lmdb-resolver-state.ts";
import { decodeStep, encodeStep, type RememberedStep } from "./memory-codec.ts";
import type { TraceIndexOptions } from "./trace-index.ts";
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
  /** Told of entries that were put aside. */
  readonly parked?: (at: Omit<LetterSource, "offset">, entries: readonly ParkedEntry[]) => void;
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
export const resolverGroup = "resolver";
/** The copy holds the memory topic up to here. */
const copiedName = "memory.copied";
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

  private constructor(
    options: KafkaResolverOptions,
    transactions: KafkaTransactions,
    copy: Copy,
    { offset, metadata }: Commit,
  ) {
    this.#options = options;
    this.#transactions = transactions;
    this.#copy = copy.environment;
    this.memory = copy.state;
    this.#inputOffset = offset;
    this.#lastArrival = metadata;
    this.partitions = options.partitions;
    this.clockOf = [options.partition];
  }

  /** Takes the partition over; resolves when its memory is complete. */
  static async open(options: KafkaResolverOptions): Promise<KafkaResolverLog> {
    const { client, prefix, topics, partition } = options;
    // First: from here on nobody else adds to the memory.
    const transactions = await client.transactions(`${prefix}.${resolverGroup}.${partition}`);
    let copy: Copy | undefined;
    try {
      const group = await client.committed(`${prefix}.${resolverGroup}`, topics.spans);
      const place = group.get(partition) ?? { offset: 0, metadata: "" };
      copy = await openCopy(options, place.metadata);
      await remember(options, copy);
      // The memory may be older than it is kept; the group's place moves in the same transactions.
      const offset = Math.max(copy.state.inputOffset(), place.offset);
      return new KafkaResolverLog(options, transactions, copy, { ...place, offset });
    } catch (error) {
      await copy?.environment.close();
      await transactions.close();
      throw error;
    }
  }

  async commit(step: ResolverStep): Promise<readonly number[]> {
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
    const memory = this.#teaches(step) ? [{ topic: topics.memory, partition, value: encodeStep(step) }] : [];
    const numbers = step.numbers == null ? [] : [{ topic: topics.numbers, partition: 0, value: step.numbers }];
    const repriced = this.#repricedIn(step);
    const offsets = await this.#transactions.commit([...entries, ...letters, ...numbers, ...repriced, ...memory], {
      group: `${prefix}.${resolverGroup}`,
      topic: topics.spans,
      partition,
      offset: step.inputOffset,
      metadata: lastArrival,
    });
    if (memory.length > 0) await putStep(this.#copy, this.memory, step, (offsets.at(-1) ?? 0) + 1);
    this.#inputOffset = step.inputOffset;
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

interface Copy {
  readonly environment: RootDatabase;
  readonly state: LmdbResolverState;
  /** Of the memory topic, the next message to be read. */
  readonly from: number;
}

/**
 * The copy on disk where the topic goes on from there, else an empty one. The horizon is counted back from when the last
 * step's spans had arrived, however long ago that is: what comes next in the log arrived right after them, and may repeat
 * them, though nobody resolved anything since.
 * @param lastArrival of the group's place: milliseconds; "" from before it was written there.
 */
async function openCopy(options: KafkaResolverOptions, lastArrival: string): Promise<Copy> {
  const { client, topics, partition, identities, now, copy: place = lmdbIn(options.directory) } = options;
  const fromMs = (lastArrival === "" ? now() : Math.min(Number(lastArrival), now())) - identities.horizonMs;
  const start = await client.startOffset(topics.memory, partition, fromMs);
  const end = (await client.endOffsets(topics.memory)).get(partition) ?? 0;
  const known = copyIn(place, identities);
  const copied = (known.state.state(copiedName) as number | undefined) ?? 0;
  if (copied >= start && copied <= end) return { ...known, from: copied };
  await known.environment.close();
  place.remove();
  return { ...copyIn(place, identities), from: start };
}

function lmdbIn(directory: string): CopyPlace {
  return {
    open: () => open({ path: directory, maxDbs: 16, noSubdir: false, noMemInit: true, overlappingSync: false }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function copyIn(place: CopyPlace, identities: TraceIndexOptions): Omit<Copy, "from"> {
  const environment = place.open();
  return { environment, state: new LmdbResolverState(environment, identities) };
}

/** Brings the copy up to date. */
async function remember({ client, topics, partition }: KafkaResolverOptions, copy: Copy): Promise<void> {
  const end = (await client.endOffsets(topics.memory)).get(partition) ?? 0;
  if (copy.from >= end) return;
  const reader: KafkaReader = await client.reader(topics.memory, partition);
  try {
    for (let offset = copy.from; offset < end; ) {
      const { records, nextOffset } = await reader.fetch({ offset, bytesMax: fetchBytesMax, waitMs });
      for (const { offset: at, value } of records) await putRemembered(copy, decodeStep(value), at + 1);
      offset = nextOffset;
    }
  } finally {
    await reader.close();
  }
}

/** One step at a time: within a transaction its own changes cannot be read. */
async function putRemembered({ environment, state }: Copy, step: RememberedStep, copied: number): Promise<void> {
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
  await putStep(environment, state, { ...step, traces }, copied);
}

async function putStep(
  environment: RootDatabase,
  state: LmdbResolverState,
  step: Omit<ResolverStep, "entries">,
  copied: number,
): Promise<void> {
  await environment.batch(() => {
    state.put(step);
    state.putState(copiedName, copied);
  });
}
