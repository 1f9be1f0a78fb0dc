/**
 * Kafka in memory behind the contract of its clients, with the order, the gaps, the fencing and the rebalances of the real
 * one, and with answers that are late or lost as the seed says. Its suites are those of the real clients.
 */

import type {
  Commit,
  Fetched,
  KafkaClient,
  KafkaMembership,
  KafkaMessage,
  KafkaProducer,
  KafkaReader,
  KafkaTransactions,
  PartitionCommit,
  TopicSpec,
} from "../../src/event-log/kafka-client.ts";
import { KafkaFenced, KafkaOutOfRange, KafkaUnavailable } from "../../src/event-log/kafka-client.ts";
import type { Random } from "../../src/ingest/otlp-random.ts";

interface Stored {
  readonly offset: number;
  /** Null for the end of a transaction. */
  readonly value: Uint8Array | null;
  readonly atMs: number;
  aborted: boolean;
}

interface OpenTransaction {
  readonly touched: Set<Partition>;
  readonly records: Stored[];
}

interface Partition {
  records: Stored[];
  nextOffset: number;
  readonly retentionMs: number;
  /** Told of whatever can be read now. */
  readonly waiting: Set<() => void>;
  /** Where the transactions begin that have not ended. */
  readonly open: Map<OpenTransaction, number>;
}

interface Member {
  readonly process: KafkaProcess;
  readonly assigned: (partitions: readonly number[]) => void;
  left: boolean;
}

/** Who asks: its requests end with it. */
export interface KafkaProcess {
  readonly dead: boolean;
}

export type RunAs = (process: KafkaProcess | null, work: () => void) => void;

export interface KafkaFaults {
  /** In how many requests one fails before it had an effect, and one after; 0 for never. */
  failOneIn: number;
  latencyMsMax: number;
}

const sessionMs = 10_000;
const transactionTimeoutMs = 30_000;
/** Until a member hears of a new share. */
const heardMsMax = 200;

export class SimulatedKafka {
  readonly #topics = new Map<string, Partition[]>();
  readonly #places = new Map<string, Map<number, Commit>>();
  readonly #owners = new Map<string, { epoch: number; open: OpenTransaction | null }>();
  readonly #groups = new Map<string, Member[]>();
  readonly #random: Random;
  readonly #run: RunAs;
  readonly faults: KafkaFaults = { failOneIn: 0, latencyMsMax: 5 };

  /** @param run where code of a process is told from the brokers' own, which is nobody's. */
  /** Told of each request that arrives, and of each that is about to be answered. */
  passing: (process: KafkaProcess, what: string) => void = () => undefined;

  constructor(random: Random, run: RunAs = (_, work) => work()) {
    this.#random = random;
    this.#run = run;
  }

  client(process: KafkaProcess = { dead: false }): KafkaClient {
    const ask = <Answer>(what: string, work: () => Answer) => this.#ask(process, what, work);
    return {
      clusterId: () => ask("ask who they are", () => "simulation"),
      // Nobody migrates here.
      turn: () => Promise.reject(new Error("the simulation has no turns")),
      createTopics: (topics) => ask("create topics", () => this.#createTopics(topics)),
      partitions: (topic) => ask("look at a topic", () => this.#topics.get(topic)?.length ?? 0),
      producer: () => ask("connect", () => this.#producer(process)),
      transactions: (id) => ask("take over an id", () => this.#transactions(process, id)),
      reader: (topic, partition) => ask("read", () => this.#reader(process, this.#partition(topic, partition))),
      startOffset: (topic, partition, sinceMs) =>
        ask("find a start", () => startOf(this.#partition(topic, partition), sinceMs)),
      startOffsets: (topic) =>
        ask("find starts", () => new Map(this.#topics.get(topic)?.map((one, index) => [index, startOf(one)]))),
      endOffsets: (topic) =>
        ask("find ends", () => new Map(this.#topics.get(topic)?.map((one, index) => [index, stableEnd(one)]))),
      highWatermarks: (topic) =>
        ask("find ends", () => new Map(this.#topics.get(topic)?.map(({ nextOffset }, index) => [index, nextOffset]))),
      committed: (group, topic) => ask("ask for places", () => new Map(this.#places.get(`${group} ${topic}`))),
      join: (group, topic, { assigned }) => ask("join", () => this.#join({ process, group, topic, assigned })),
      close: async () => undefined,
    };
  }

  /** Deletes what lies before an offset, as retention does. */
  deleteBefore(topic: string, partition: number, offset: number): void {
    const { records } = this.#partition(topic, partition);
    const kept = records.findIndex((record) => record.offset >= offset);
    records.splice(0, kept < 0 ? records.length : kept);
  }

  /** Records kept of a topic. */
  size(topic: string): number {
    return (this.#topics.get(topic) ?? []).reduce((sum, { records }) => sum + records.length, 0);
  }

  async #ask<Answer>(process: KafkaProcess, what: string, work: () => Answer): Promise<Answer> {
    // On its way it arrives, also when who sent it is gone.
    await this.#later(null, this.#random(this.faults.latencyMsMax + 1));
    const { failOneIn } = this.faults;
    if (failOneIn > 0 && this.#random(failOneIn) === 0) throw new KafkaUnavailable(`cannot ${what}: not delivered`);
    this.passing(process, what);
    const answer = work();
    this.passing(process, what);
    await this.#later(process, this.#random(this.faults.latencyMsMax + 1));
    if (process.dead) await new Promise(() => undefined);
    if (failOneIn > 0 && this.#random(failOneIn) === 0) throw new KafkaUnavailable(`cannot ${what}: no answer`);
    return answer;
  }

  #later(process: KafkaProcess | null, milliseconds: number): Promise<void> {
    return new Promise((done) => this.#run(process, () => void setTimeout(done, milliseconds)));
  }

  #createTopics(specs: readonly TopicSpec[]): void {
    for (const { topic, partitions, settings } of specs) {
      const found = this.#topics.get(topic)?.length;
      if (found !== undefined && found !== partitions)
        throw new Error(`topic ${topic} has ${found} partitions and ${partitions} are configured`);
      if (found !== undefined) continue;
      const retentionMs = Number(settings["retention.ms"] ?? Number.POSITIVE_INFINITY);
      const empty = () => ({
        records: [],
        nextOffset: 0,
        retentionMs,
        waiting: new Set<() => void>(),
        open: new Map(),
      });
      this.#topics.set(topic, Array.from({ length: partitions }, empty));
    }
  }

  #partition(topic: string, partition: number): Partition {
    const found = this.#topics.get(topic)?.[partition];
    if (found === undefined) throw new Error(`there is no partition ${partition} of ${topic}`);
    return found;
  }

  #producer(process: KafkaProcess): KafkaProducer {
    return {
      // Idempotent: what the library repeats by itself is there once. What its user sends again is there twice.
      send: (messages) =>
        this.#ask(process, "append", () => {
          for (const { topic, partition, value } of messages) append(this.#partition(topic, partition), value, null);
        }),
      close: async () => undefined,
    };
  }

  #transactions(process: KafkaProcess, id: string): KafkaTransactions {
    const owner = this.#owners.get(id) ?? { epoch: 0, open: null };
    this.#owners.set(id, owner);
    if (owner.open !== null) endTransaction(owner.open, false);
    owner.open = null;
    const epoch = ++owner.epoch;
    const owned = <Answer>(work: () => Answer) => {
      if (owner.epoch !== epoch) throw new KafkaFenced(`somebody else has ${id}`);
      return work();
    };
    return {
      commit: async (messages, commit) => {
        const offsets = await this.#ask(process, "append", () => owned(() => this.#begin(owner, messages)));
        await this.#ask(process, "commit", () => owned(() => this.#commit(owner, commit)));
        return offsets;
      },
      close: async () => undefined,
    };
  }

  #begin(owner: { open: OpenTransaction | null }, messages: readonly KafkaMessage[]): readonly number[] {
    const open: OpenTransaction = { touched: new Set(), records: [] };
    owner.open = open;
    void this.#later(null, transactionTimeoutMs).then(() => {
      if (owner.open !== open) return;
      endTransaction(open, false);
      owner.open = null;
    });
    return messages.map(({ topic, partition, value }) => append(this.#partition(topic, partition), value, open));
  }

  #commit(owner: { open: OpenTransaction | null }, commit: PartitionCommit): void {
    if (owner.open === null) throw new KafkaUnavailable("the transaction took too long, and was undone");
    endTransaction(owner.open, true);
    owner.open = null;
    const { group, topic, partition, offset, metadata } = commit;
    const places = this.#places.get(`${group} ${topic}`) ?? new Map<number, Commit>();
    this.#places.set(`${group} ${topic}`, places);
    places.set(partition, { offset, metadata });
  }

  #reader(process: KafkaProcess, partition: Partition): KafkaReader {
    let closed = false;
    return {
      fetch: async ({ offset, bytesMax, waitMs }) => {
        const deadlineMs = performance.now() + waitMs;
        for (;;) {
          const fetched = await this.#ask(process, "read", () => fetchFrom(partition, offset, bytesMax));
          const leftMs = deadlineMs - performance.now();
          if (fetched.nextOffset > offset || leftMs <= 0 || closed) return fetched;
          await Promise.race([sleep(leftMs), new Promise<void>((woken) => partition.waiting.add(woken))]);
        }
      },
      close: async () => {
        closed = true;
      },
    };
  }

  #join(options: Omit<Member, "left"> & { readonly group: string; readonly topic: string }): KafkaMembership {
    const { process, group, topic, assigned } = options;
    const name = `${group} ${topic}`;
    const members = this.#groups.get(name) ?? [];
    this.#groups.set(name, members);
    const member: Member = { process, assigned, left: false };
    members.push(member);
    this.#deal(name, topic);
    this.#watch(member, name, topic);
    return {
      leave: async () => {
        member.left = true;
        this.#deal(name, topic);
      },
    };
  }

  /** A member that died is missed after its session. */
  #watch(member: Member, name: string, topic: string): void {
    void this.#later(null, sessionMs).then(() => {
      if (member.left) return;
      if (!member.process.dead) return this.#watch(member, name, topic);
      member.left = true;
      this.#deal(name, topic);
    });
  }

  /** Each member hears of it when it does: for a moment two believe that a partition is theirs, or nobody does. */
  #deal(name: string, topic: string): void {
    const members = (this.#groups.get(name) ?? []).filter(({ left }) => !left);
    this.#groups.set(name, members);
    const count = this.#topics.get(topic)?.length ?? 0;
    for (const [index, member] of members.entries()) {
      const share = Array.from({ length: count }, (_, at) => at).filter((at) => at % members.length === index);
      void this.#later(null, this.#random(heardMsMax)).then(() => {
        if (this.#groups.get(name) !== members || member.left || member.process.dead) return;
        this.#run(member.process, () => member.assigned(share));
      });
    }
  }
}

function append(partition: Partition, value: Uint8Array | null, transaction: OpenTransaction | null): number {
  const stored = { offset: partition.nextOffset++, value, atMs: Date.now(), aborted: false };
  partition.records.push(stored);
  if (transaction === null) wake(partition);
  else {
    transaction.records.push(stored);
    if (!partition.open.has(transaction)) partition.open.set(transaction, stored.offset);
    transaction.touched.add(partition);
  }
  const oldestMs = Date.now() - partition.retentionMs;
  if ((partition.records[1023]?.atMs ?? oldestMs) < oldestMs) partition.records.splice(0, 1024);
  return stored.offset;
}

/** Its records are there, or never were; its end takes an offset in each partition. */
function endTransaction(transaction: OpenTransaction, committed: boolean): void {
  for (const record of transaction.records) record.aborted = !committed;
  for (const partition of transaction.touched) {
    partition.open.delete(transaction);
    append(partition, null, null);
  }
}

function wake(partition: Partition): void {
  for (const woken of partition.waiting) woken();
  partition.waiting.clear();
}

function stableEnd({ open, nextOffset }: Partition): number {
  return Math.min(nextOffset, ...open.values());
}

function fetchFrom(partition: Partition, offset: number, bytesMax: number): Fetched {
  const endOffset = stableEnd(partition);
  const first = partition.records[0]?.offset ?? partition.nextOffset;
  if (offset < first || offset > partition.nextOffset) throw new KafkaOutOfRange(`there is no offset ${offset}`);
  const records: { offset: number; value: Uint8Array }[] = [];
  let nextOffset = offset;
  let bytes = 0;
  for (let at = nextOffset - first; at < partition.records.length && bytes < bytesMax; at++) {
    const record = partition.records[at];
    if (record === undefined || record.offset >= endOffset) break;
    nextOffset = record.offset + 1;
    if (record.value === null || record.aborted) continue;
    records.push({ offset: record.offset, value: record.value });
    bytes += record.value.length;
  }
  return { records, nextOffset, endOffset };
}

function startOf({ records, nextOffset }: Partition, sinceMs = 0): number {
  return records.find(({ atMs, value }) => value !== null && atMs >= sinceMs)?.offset ?? nextOffset;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
