import kafkajs from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SimulatedKafka } from "../../test/simulation/kafka.ts";
import { kafkaMissing, startBroker, type TestBroker } from "../../test/support/kafka-broker.ts";
import { kafkaClients } from "../../test/support/kafka-clients.ts";
import { seededRandom } from "../ingest/otlp-random.ts";
import {
  type KafkaClient,
  KafkaFenced,
  type KafkaMessage,
  KafkaOutOfRange,
  KafkaUnavailable,
  type TopicSpec,
} from "./kafka-client.ts";
import { type GoneOffsets, KafkaLog } from "./kafka-log.ts";
import { untilConsumed } from "./until-consumed.ts";

const missing = await kafkaMissing();
const text = (value: Uint8Array) => Buffer.from(value).toString();

describe.skipIf(missing !== undefined).each(Object.entries(kafkaClients))("%s over a real broker", (name, open) => {
  let broker: TestBroker;
  let client: KafkaClient;
  beforeAll(async () => {
    broker = await startBroker();
    client = open({ brokers: [broker.address], clientId: "burnwatch-test" });
  });
  afterAll(async () => {
    await client?.close();
    await broker?.stop();
  });

  contract(
    name,
    () => client,
    (topic) => holdOpen(broker.address, topic),
    (topic, offset) => deleteRecords(broker.address, topic, offset),
  );
});

describe("the client of the simulation", () => {
  const kafka = new SimulatedKafka(seededRandom(3));
  const client = kafka.client();
  contract(
    "simulated",
    () => client,
    (topic) => holdSimulated(kafka, topic),
    async (topic, offset) => kafka.deleteBefore(topic, 0, offset),
  );
});

/** Appends a record in a transaction that stays open; what it gives undoes the transaction. */
type Hold = (topic: string) => Promise<() => Promise<void>>;

/** Deletes what lies before an offset of partition 0, as retention does. */
type DeleteBefore = (topic: string, offset: number) => Promise<void>;

async function deleteRecords(address: string, topic: string, offset: number): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers: [address], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  // Or it does not know yet where the topic is.
  await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
  await admin.disconnect();
}

/** With the library itself: our contract has no transaction that stays open. */
async function holdOpen(address: string, topic: string): Promise<() => Promise<void>> {
  const kafka = new kafkajs.Kafka({ brokers: [address], logLevel: kafkajs.logLevel.NOTHING });
  const producer = kafka.producer({ transactionalId: `${topic}.held`, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ partition: 0, value: "never committed" }] });
  return async () => {
    await transaction.abort();
    await producer.disconnect();
  };
}

/** By a process that dies when it is about to commit, and one that takes its id over. */
async function holdSimulated(kafka: SimulatedKafka, topic: string): Promise<() => Promise<void>> {
  const transactions = await kafka.client().transactions(`${topic}.held`);
  kafka.passing = (_, what) => {
    if (what === "commit") throw new KafkaUnavailable("died");
  };
  const value = Buffer.from("never committed");
  const place = { group: `${topic}.held`, topic, partition: 0, offset: 0, metadata: "" };
  await expect(transactions.commit([{ topic, partition: 0, value }], place)).rejects.toThrow("died");
  kafka.passing = () => undefined;
  return async () => void (await kafka.client().transactions(`${topic}.held`));
}

function contract(name: string, opened: () => KafkaClient, hold: Hold, deleteBefore: DeleteBefore): void {
  let client: KafkaClient;
  let topics = 0;
  beforeAll(() => {
    client = opened();
  });

  async function newTopic(partitions = 1): Promise<string> {
    const topic = `${name}${process.pid}-${++topics}`;
    await client.createTopics([specOf(topic, partitions)]);
    return topic;
  }
  const specOf = (topic: string, partitions: number): TopicSpec => ({ topic, partitions, replicas: 1, settings: {} });
  const message = (topic: string, value: string, partition = 0): KafkaMessage => ({
    topic,
    partition,
    value: Buffer.from(value),
  });
  const commitOf = (topic: string, offset: number, metadata = "") => ({
    group: `${topic}.group`,
    topic,
    partition: 0,
    offset,
    metadata,
  });

  async function readAll(topic: string, partition = 0): Promise<string[]> {
    const reader = await client.reader(topic, partition);
    const found: string[] = [];
    for (let offset = 0; ; ) {
      const { records, nextOffset, endOffset } = await reader.fetch({ offset, bytesMax: 1_000_000, waitMs: 100 });
      found.push(...records.map(({ value }) => text(value)));
      if (nextOffset >= endOffset) break;
      offset = nextOffset;
    }
    await reader.close();
    return found;
  }

  it("makes topics once, and says when one has other partitions than were asked for", async () => {
    const topic = await newTopic(3);
    await client.createTopics([specOf(topic, 3)]);
    expect(await client.partitions(topic)).toBe(3);
    expect(await client.partitions("no-such-topic")).toBe(0);
    await expect(client.createTopics([specOf(topic, 4)])).rejects.toThrow(
      `topic ${topic} has 3 partitions and 4 are configured`,
    );
  });

  it("reads back what was appended, by partition and in order", async () => {
    const topic = await newTopic(2);
    const producer = await client.producer();
    await producer.send([message(topic, "a"), message(topic, "b", 1), message(topic, "c")]);
    await producer.send([message(topic, "d")]);
    expect(await readAll(topic)).toEqual(["a", "c", "d"]);
    expect(await readAll(topic, 1)).toEqual(["b"]);
    expect(await client.endOffsets(topic)).toEqual(
      new Map([
        [0, 3],
        [1, 1],
      ]),
    );
    expect(await client.startOffset(topic, 0)).toBe(0);
    expect(await client.startOffsets(topic)).toEqual(
      new Map([
        [0, 0],
        [1, 0],
      ]),
    );
    expect(await client.startOffset(topic, 1, Date.now() + 60_000)).toBe(1);
    await expect(client.startOffset(topic, 2)).rejects.toThrow();
    await producer.close();
  });

  /**
   * Brokers answer a commit before they have marked its end everywhere: a moment later it can be read. Whoever opens the
   * same transactional id waits for that.
   */
  const placeOf = async (topic: string) => (await client.committed(`${topic}.group`, topic)).get(0);

  it("commits messages and a group's place with metadata together, many times in a row", async () => {
    const topic = await newTopic(2);
    const transactions = await client.transactions(`${topic}.id`);
    const offsets: (readonly number[])[] = [];
    for (let n = 1; n <= 20; n++) {
      const messages = [message(topic, `${n}a`), message(topic, `${n}b`, 1), message(topic, `${n}c`)];
      offsets.push(await transactions.commit(messages, commitOf(topic, n, `place ${n}`)));
    }
    expect(new Set(offsets.map(([a, , c]) => (c ?? 0) - (a ?? 0)))).toEqual(new Set([1]));
    await expect.poll(() => placeOf(topic)).toEqual({ offset: 20, metadata: "place 20" });
    await transactions.commit([], commitOf(topic, 21, "nothing but a place"));
    await expect.poll(() => placeOf(topic)).toEqual({ offset: 21, metadata: "nothing but a place" });
    const expected = Array.from({ length: 20 }, (_, n) => [`${n + 1}a`, `${n + 1}c`]).flat();
    expect(await readAll(topic)).toEqual(expected);
    await transactions.close();
  });

  it("fences the former owner of a transactional id: of two, one can commit", async () => {
    const topic = await newTopic();
    const first = await client.transactions(`${topic}.id`);
    await first.commit([message(topic, "first")], commitOf(topic, 1));
    const second = await client.transactions(`${topic}.id`);
    await expect(first.commit([message(topic, "zombie")], commitOf(topic, 7))).rejects.toBeInstanceOf(KafkaFenced);
    await second.commit([message(topic, "second")], commitOf(topic, 2));
    expect(await readAll(topic)).toEqual(["first", "second"]);
    await expect.poll(async () => (await placeOf(topic))?.offset).toBe(2);
    await Promise.all([first.close(), second.close()]);
  });

  it("reads on where retention was faster, says what is gone, and says nothing to whoever begins", async () => {
    const topic = await newTopic();
    const producer = await client.producer();
    await producer.send(["a", "b", "c", "d", "e"].map((value) => message(topic, value)));
    await deleteBefore(topic, 3);
    const reader = await client.reader(topic, 0);
    await expect(reader.fetch({ offset: 1, bytesMax: 1000, waitMs: 0 })).rejects.toBeInstanceOf(KafkaOutOfRange);
    const read = async (after: number) => {
      const gone: GoneOffsets[] = [];
      const log = await KafkaLog.open({ client, topic, partition: 0, gone: (one) => gone.push(one) });
      const payloads = (await log.read(after, 10)).map(({ payload }) => text(payload));
      await log.read(after, 10);
      await log.close();
      return { payloads, gone };
    };
    // As a consumer that has done with "a".
    expect(await read(1)).toEqual({ payloads: ["d", "e"], gone: [{ topic, partition: 0, from: 1, to: 3 }] });
    expect(await read(0)).toEqual({ payloads: ["d", "e"], gone: [] });
    await expect(read(50)).rejects.toThrow(`${topic}/0 does not reach to 50 any more: it was cut or made anew`);
    await Promise.all([reader.close(), producer.close()]);
  });

  it("waits for a group to read what an open transaction of others hides for now", async () => {
    const topic = await newTopic();
    const release = await hold(topic);
    const transactions = await client.transactions(`${topic}.id`);
    const [offset = 0] = await transactions.commit([message(topic, "committed behind it")], commitOf(topic, 0));
    expect(await client.endOffsets(topic)).toEqual(new Map([[0, 0]]));
    expect((await client.highWatermarks(topic)).get(0)).toBeGreaterThan(offset);
    expect(await readAll(topic)).toEqual([]);

    let consumed = false;
    const waiting = untilConsumed(client, `${topic}.group`, topic, AbortSignal.timeout(15_000)).then(() => {
      consumed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(consumed).toBe(false);
    await release();
    await expect.poll(() => readAll(topic)).toEqual(["committed behind it"]);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(consumed).toBe(false);
    // Behind it there is nothing but the ends of transactions, where no group gets to.
    await transactions.commit([], commitOf(topic, offset + 1));
    await waiting;
    await transactions.close();
  });

  it.runIf(name === "kafkajs")(
    "says what to set where topics shall have more copies than there are brokers",
    async () => {
      const spec = { ...specOf(`wide-${process.pid}`, 1), replicas: 3 };
      await expect(client.createTopics([spec])).rejects.toThrow(/^cannot create topics: .*; set kafka.replicas/);
    },
  );

  it("deals a topic's partitions to the members of a group, and anew when one leaves", async () => {
    const topic = await newTopic(4);
    const shares: [readonly number[], readonly number[]] = [[], []];
    const join = (member: 0 | 1) =>
      client.join(`${topic}.group`, topic, {
        assigned: (partitions) => {
          shares[member] = partitions;
        },
      });
    const first = await join(0);
    await expect.poll(() => shares[0].length, { timeout: 15_000 }).toBe(4);
    const second = await join(1);
    await expect.poll(() => shares.map(({ length }) => length), { timeout: 15_000 }).toEqual([2, 2]);
    expect(shares.flat().sort()).toEqual([0, 1, 2, 3]);
    // Committing with members in the group, and without one's own generation.
    const transactions = await client.transactions(`${topic}.id`);
    await transactions.commit([], commitOf(topic, 3, "still here"));
    await expect.poll(async () => (await placeOf(topic))?.metadata).toBe("still here");
    await first.leave();
    await expect.poll(() => shares[1].length, { timeout: 15_000 }).toBe(4);
    await Promise.all([second.leave(), transactions.close()]);
  });
}
