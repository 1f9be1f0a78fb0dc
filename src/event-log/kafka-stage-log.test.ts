import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaMissing, startBroker, type TestBroker } from "../../test/support/kafka-broker.ts";
import { kafkaClients } from "../../test/support/kafka-clients.ts";
import { type KafkaClient, KafkaFenced } from "./kafka-client.ts";
import { writeSnapshot } from "./kafka-snapshots.ts";
import { KafkaStageLog, savedMark } from "./kafka-stage-log.ts";
import { createKafkaTopics, topicsOf } from "./kafka-topics.ts";

const missing = await kafkaMissing();
/** A crowded machine's brokers take their time, also until a new topic has a leader. */
const patience = { timeout: 30_000, interval: 200 };

describe.skipIf(missing !== undefined).each(Object.entries(kafkaClients))(
  "a stage on Kafka by %s",
  (name, openClient) => {
    let broker: TestBroker;
    let client: KafkaClient;
    let prefixes = 0;
    const logs: KafkaStageLog[] = [];
    beforeAll(async () => {
      broker = await startBroker();
      client = openClient({ brokers: [broker.address], clientId: "burnwatch-test" });
    });
    afterAll(async () => {
      for (const log of logs) await log.close();
      await client?.close();
      await broker?.stop();
    });

    async function newStage() {
      const prefix = `${name}-stage-${++prefixes}`;
      const topics = topicsOf({ prefix });
      await createKafkaTopics(client, { prefix, partitions: 1, replicas: 1 }, { horizonMs: 1000 });
      const place = {
        client,
        group: `${prefix}.stage`,
        topic: topics.usage,
        partition: 0,
        snapshots: topics.snapshots,
      };
      const open = async () => {
        await expect
          .poll(
            () =>
              client.startOffset(place.topic, 0).then(
                () => true,
                () => false,
              ),
            patience,
          )
          .toBe(true);
        const log = await KafkaStageLog.open({ ...place, paceNow: null, lingerMs: 10 });
        logs.push(log);
        return log;
      };
      const message = (text: string) => ({ topic: topics.claims, partition: 0, value: Buffer.from(text) });
      return { place, topics, open, message };
    }

    async function textsOf(topic: string): Promise<string[]> {
      const end = (await client.endOffsets(topic)).get(0) ?? 0;
      const reader = await client.reader(topic, 0);
      const texts: string[] = [];
      for (let offset = 0; offset < end; ) {
        const { records, nextOffset } = await reader.fetch({ offset, bytesMax: 1_000_000, waitMs: 100 });
        texts.push(...records.map(({ value }) => Buffer.from(value).toString()));
        if (nextOffset === offset) break;
        offset = nextOffset;
      }
      await reader.close();
      return texts;
    }

    it("tells what follows from an entry once, whoever reads the entry again", async () => {
      const { open, message, topics } = await newStage();
      const first = await open();
      for (const offset of [1, 2, 3]) await first.tell([message(`of ${offset}`)], { offset, atMs: offset });
      await expect.poll(() => first.toldOffset(), patience).toBe(3);
      const second = await open();
      expect(second.toldOffset()).toBe(3);
      for (const offset of [2, 3, 4]) await second.tell([message(`of ${offset}`)], { offset, atMs: offset });
      await second.close();
      await expect.poll(() => textsOf(topics.claims), patience).toEqual(["of 1", "of 2", "of 3", "of 4"]);
    });

    it("fails for a former owner, and nothing of it is read", async () => {
      const { open, message, topics } = await newStage();
      const former = await open();
      await former.tell([message("before")], { offset: 1, atMs: 1 });
      await expect.poll(() => former.toldOffset(), patience).toBe(1);
      const owner = await open();
      await former.tell([message("too late")], { offset: 2, atMs: 2 });
      await expect(former.failed).rejects.toThrow(KafkaFenced);
      await owner.tell([message("after")], { offset: 2, atMs: 2 });
      await expect.poll(() => owner.toldOffset(), patience).toBe(2);
      await expect.poll(() => textsOf(topics.claims), patience).toEqual(["before", "after"]);
    });

    it("hands over a state of many megabytes, the last one that was finished, and never one that is ahead of what was told", {
      timeout: 60_000,
    }, async () => {
      const { open, place, message, topics } = await newStage();
      const first = await open();
      const states = [1, 2, 3].map((offset) => ({ offset, bytes: randomBytes(11_000_000 * offset) }));
      for (const state of states) {
        await first.tell([message(`of ${state.offset}`)], { offset: state.offset, atMs: state.offset });
        await first.saveMark("state", state);
        expect(first.toldOffset()).toBe(state.offset);
      }
      await first.saveMark("small", { told: "once" });
      // One that is not finished: two of its commits, and then the process is gone.
      const other = await client.transactions(`${place.group}.unfinished`);
      let commits = 0;
      const unfinished = writeSnapshot(
        { topic: topics.snapshots, partition: 0 },
        {
          name: `${place.group}/state`,
          value: randomBytes(30_000_000),
          before: { id: "", first: 0, last: 0, chunks: 0, turn: 0 },
        },
        async (messages) => {
          if (++commits === 3) throw new Error("gone");
          const nowhere = {
            group: `${place.group}.unfinished`,
            topic: topics.usage,
            partition: 0,
            offset: 0,
            metadata: "",
          };
          return other.commit(messages, nowhere);
        },
      );
      await expect(unfinished).rejects.toThrow("gone");
      await other.close();
      const second = await open();
      const known = second.mark("state") as { offset: number; bytes: Uint8Array };
      expect(known.offset).toBe(3);
      expect(Buffer.compare(known.bytes, states[2]?.bytes ?? Buffer.alloc(0))).toBe(0);
      expect(second.mark("small")).toEqual({ told: "once" });
      expect(await savedMark(place, "small")).toEqual({ told: "once" });
      expect(await savedMark(place, "unknown")).toBeUndefined();
    });

    it("says that somebody else has moved its group", async () => {
      const { open, place } = await newStage();
      const other = await client.transactions(`${place.group}.other`);
      await other.commit([], { group: place.group, topic: place.topic, partition: 0, offset: 0, metadata: "reset" });
      await other.close();
      await expect(open()).rejects.toThrow('was not written by this version of Burnwatch (metadata "reset")');
    });
  },
);
