/**
 * One partition of a topic for a stage that reads it, remembers much, and tells other topics. What it tells moves its
 * place in the same transaction, so that nothing is told twice or not at all; what it remembers is written more seldom, as
 * a snapshot. Whoever takes the partition over reads on from the latest snapshot, and all that is told again on the way to
 * the place is dropped. So state and place need no disk, and are handed over together.
 */

import type { LogReader } from "./event-log.ts";
import type { KafkaClient, KafkaMessage, KafkaTransactions } from "./kafka-client.ts";
import { KafkaLog } from "./kafka-log.ts";
import { KafkaPace } from "./kafka-pace.ts";
import { readSnapshot, type SnapshotPlace, type SnapshotTopic, writeSnapshot } from "./kafka-snapshots.ts";
import { CorruptEntry, checkVersion, OtherVersionEntry } from "./unreadable-entry.ts";
import type { Marks } from "./usage-log.ts";

export interface KafkaStageOptions {
  readonly client: KafkaClient;
  /** Of the consumers, and of the transactional ids. */
  readonly group: string;
  /** What is read. */
  readonly topic: string;
  readonly partition: number;
  /** Where snapshots go: into the partition of the same number. */
  readonly snapshots: string;
  /** The clock of who reads partitions side by side with others (`KafkaPace`); null where there is one partition. */
  readonly paceNow: (() => number) | null;
  /** What is told waits so long for more. */
  readonly lingerMs: number;
  /** Told of each failed fetch; it is tried again until it succeeds. */
  readonly fetchFailed?: (error: Error) => void;
  /** Told of each snapshot that cannot be read: its mark is taken for one that was never saved. */
  readonly unreadable?: (name: string, error: Error) => void;
}

const version = 1;

interface Metadata {
  readonly version: typeof version;
  readonly marks: Readonly<Record<string, SnapshotPlace>>;
  /** When what was told last had arrived. */
  readonly atMs: number;
}

const pendingBytesMax = 4 * 1024 * 1024;

export class KafkaStageLog implements Marks {
  readonly entries: LogReader;
  /** Marks that were saved and cannot be read. */
  readonly lost: ReadonlySet<string>;
  /** Rejects when what was told cannot be appended: then this object is of no more use. */
  readonly failed: Promise<never>;
  readonly #fail: (error: Error) => void;
  readonly #options: KafkaStageOptions;
  readonly #transactions: KafkaTransactions;
  readonly #log: KafkaLog;
  readonly #places = new Map<string, SnapshotPlace>();
  readonly #values: Map<string, unknown>;
  readonly #pace: KafkaPace | null;
  #pending: KafkaMessage[] = [];
  #pendingBytes = 0;
  #pendingOffset: number;
  #committed: number;
  #toldMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** Transactions follow each other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: KafkaStageOptions, transactions: KafkaTransactions, known: Known) {
    const { promise, reject } = Promise.withResolvers<never>();
    // Whoever waits for it hears of it; nobody waiting is no crash.
    promise.catch(() => undefined);
    this.failed = promise;
    this.#fail = reject;
    this.#options = options;
    this.#transactions = transactions;
    this.#log = known.log;
    this.entries = from(known.log, known.start);
    this.#committed = Math.max(known.committed, known.start);
    this.#pendingOffset = this.#committed;
    this.#values = known.values;
    this.lost = new Set([...known.places.keys()].filter((name) => !known.values.has(name)));
    this.#toldMs = known.atMs;
    const { paceNow } = options;
    this.#pace = paceNow === null ? null : new KafkaPace({ others: () => othersOf(options), now: paceNow });
    for (const [name, place] of known.places) this.#places.set(name, place);
  }

  /** Takes the partition over from its former owner; resolves when its snapshots are read. */
  static async open(options: KafkaStageOptions): Promise<KafkaStageLog> {
    const { client, group, topic, partition, fetchFailed } = options;
    // First: from here on nobody else tells anything.
    const transactions = await client.transactions(`${group}.${partition}`);
    try {
      const { committed, places, atMs } = await placesOf(options);
      const values = new Map<string, unknown>();
      for (const [name, place] of places) await readInto(values, name, { ...options, place });
      const start = await client.startOffset(topic, partition);
      const told = fetchFailed === undefined ? {} : { failed: fetchFailed };
      const log = await KafkaLog.open({ client, topic, partition, ...told });
      return new KafkaStageLog(options, transactions, { log, start, committed, places, values, atMs });
    } catch (error) {
      await transactions.close().catch(() => undefined);
      throw error;
    }
  }

  /** Everything that follows from entries up to here has been told. */
  toldOffset(): number {
    return this.#committed;
  }

  mark(name: string): unknown {
    return this.#values.get(name);
  }

  /** All that was told before is appended first: a state is never ahead of what is told. */
  async saveMark(name: string, value: unknown): Promise<void> {
    await this.#flush();
    const { topic, partition } = snapshotTopic(this.#options);
    const before = this.#places.get(name);
    const key = `${this.#options.group}/${name}`;
    const asked = { name: key, value, ...(before === undefined ? {} : { before }) };
    const place = await writeSnapshot({ topic, partition }, asked, (messages) => this.#commit(messages));
    this.#places.set(name, place);
    await this.#commit([]);
    this.#values.set(name, value);
  }

  /**
   * Tells what follows from the entry at `offset`, which arrived at `atMs`, unless it was told before. Resolves when more
   * may come.
   */
  async tell(messages: readonly KafkaMessage[], { offset, atMs }: Told): Promise<void> {
    if (offset <= this.#committed) return;
    await this.#pace?.keep(atMs);
    this.#toldMs = Math.max(this.#toldMs, atMs);
    this.#pending.push(...messages);
    this.#pendingOffset = offset;
    this.#pendingBytes += messages.reduce((sum, { value }) => sum + value.length, 0);
    if (this.#pendingBytes >= pendingBytesMax) return this.#flush();
    this.#timer ??= setTimeout(() => {
      this.#flush().catch(() => undefined);
    }, this.#options.lingerMs);
  }

  /** Waits for no other partition any longer: the last entry is to be told. */
  hurry(): void {
    this.#pace?.stop();
  }

  async close(): Promise<void> {
    await this.#flush().catch(() => undefined);
    await this.#log.close();
    await this.#transactions.close().catch(() => undefined);
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [messages, offset] = [this.#pending, this.#pendingOffset];
    this.#pending = [];
    this.#pendingBytes = 0;
    if (messages.length > 0 || offset > this.#committed) await this.#commit(messages, offset);
    else await this.#last;
  }

  #commit(messages: readonly KafkaMessage[], offset?: number): Promise<readonly number[]> {
    const { group, topic, partition } = this.#options;
    const committing = this.#last.then(async () => {
      const place = offset ?? this.#committed;
      const marks = Object.fromEntries(this.#places);
      const metadata = JSON.stringify({ version, marks, atMs: this.#toldMs } satisfies Metadata);
      const offsets = await this.#transactions.commit(messages, { group, topic, partition, offset: place, metadata });
      this.#committed = place;
      return offsets;
    });
    this.#last = committing;
    committing.catch((error: Error) => this.#fail(error));
    return committing;
  }
}

/** A value that cannot be read is said, and left out. */
async function readInto(
  values: Map<string, unknown>,
  name: string,
  { place, ...options }: KafkaStageOptions & { readonly place: SnapshotPlace },
): Promise<void> {
  try {
    values.set(name, await readSnapshot(snapshotTopic(options), place));
  } catch (error) {
    if (!(error instanceof CorruptEntry)) throw error;
    options.unreadable?.(name, error);
  }
}

interface Known {
  readonly log: KafkaLog;
  /** Kafka's offset of the first entry that is kept. */
  readonly start: number;
  readonly committed: number;
  readonly places: ReadonlyMap<string, SnapshotPlace>;
  readonly values: Map<string, unknown>;
  readonly atMs: number;
}

/** An entry that something follows from. */
export interface Told {
  readonly offset: number;
  readonly atMs: number;
}

/** A mark of a stage, as it was last saved; undefined where there is none. Takes nothing over. */
export async function savedMark(
  options: Pick<KafkaStageOptions, "client" | "group" | "topic" | "partition" | "snapshots">,
  name: string,
): Promise<unknown> {
  const place = (await placesOf(options)).places.get(name);
  return place === undefined ? undefined : readSnapshot(snapshotTopic(options), place);
}

async function placesOf({
  client,
  group,
  topic,
  partition,
}: Pick<KafkaStageOptions, "client" | "group" | "topic" | "partition">) {
  const commit = (await client.committed(group, topic)).get(partition);
  if (commit === undefined) return { committed: 0, places: new Map<string, SnapshotPlace>(), atMs: 0 };
  const { marks, atMs } = metadataOf(commit.metadata, `${group} at ${partition}`);
  return { committed: commit.offset, places: new Map(Object.entries(marks)), atMs };
}

async function othersOf({ client, group, topic, partition: own }: KafkaStageOptions): Promise<Map<number, number>> {
  const others = new Map<number, number>();
  for (const [partition, { metadata }] of await client.committed(group, topic))
    if (partition !== own) others.set(partition, metadataOf(metadata, `${group} at ${partition}`).atMs);
  return others;
}

function snapshotTopic({
  client,
  snapshots,
  partition,
}: Pick<KafkaStageOptions, "client" | "snapshots" | "partition">) {
  return { client, topic: snapshots, partition } satisfies SnapshotTopic;
}

/**
 * What a stage's place says beside its number.
 * @throws OtherVersionEntry; Error where somebody else has moved the group: what was told is known by its place alone.
 */
export function metadataOf(text: string, where: string): Metadata {
  try {
    const known = JSON.parse(text) as Metadata;
    checkVersion(`the place of group ${where}`, known.version, version);
    if (typeof known.marks === "object") return known;
  } catch (error) {
    if (error instanceof OtherVersionEntry) throw error;
    // Told below, as whatever else it may be.
  }
  throw new Error(
    `the place of group ${where} was not written by this version of Burnwatch (metadata ${JSON.stringify(text.slice(0, 100))}): reset offsets tell things twice or not at all; delete the group, and its baselines begin anew with what the topic still has`,
  );
}

/** The log, for those who ask for what is gone already. */
function from(log: KafkaLog, start: number): LogReader {
  return {
    read: (after, limit) => log.read(Math.max(after, start), limit),
    waitFor: (after, signal) => log.waitFor(Math.max(after, start), signal),
    trim: (offset) => log.trim(offset),
    lastOffset: () => log.lastOffset(),
  };
}
