import { createRequire } from "node:module";
import { expect, it } from "vitest";
import type { Cluster } from "./kafkajs-internals.ts";
import { KafkajsReader } from "./kafkajs-reader.ts";

/** A cluster of connections, of which one broker answers every fetch so. */
function clusterOf(answer: () => Promise<unknown>) {
  const cluster = {
    open: true,
    connect: async () => {
      cluster.open = true;
    },
    disconnect: async () => {
      cluster.open = false;
    },
    refreshMetadata: async () => undefined,
    refreshMetadataIfNecessary: async () => undefined,
    findLeaderForPartitions: () => ({ 1: [0] }),
    findBroker: async () => ({ fetch: answer }),
  };
  return cluster;
}

const from = { offset: 5, bytesMax: 1000, waitMs: 0 };

it("opens no connection again once it was closed, though a fetch was under way", async () => {
  const asked = Promise.withResolvers<never>();
  const cluster = clusterOf(() => asked.promise);
  const reader = new KafkajsReader(cluster as unknown as Cluster, "t", 0);
  const fetched = reader.fetch(from);
  await reader.close();
  asked.reject(new Error("connection closed"));
  await expect(fetched).rejects.toThrow("connection closed");
  expect(cluster.open).toBe(false);
});

it("closes what it was about to open when it was closed meanwhile", async () => {
  const cluster = clusterOf(() => Promise.reject(new Error("the leader moved")));
  const connecting = Promise.withResolvers<void>();
  cluster.connect = async () => {
    await connecting.promise;
    cluster.open = true;
  };
  const reader = new KafkajsReader(cluster as unknown as Cluster, "t", 0);
  const fetched = reader.fetch(from);
  await new Promise((resolve) => setTimeout(resolve, 10));
  await reader.close();
  connecting.resolve();
  await expect(fetched).rejects.toThrow("the leader moved");
  expect(cluster.open).toBe(false);
});

/** A batch of the log's format, whose records compaction has taken out: its place stays. */
function emptiedBatch(firstOffset: number, lastOffset: number): Buffer {
  const batch = Buffer.alloc(61);
  batch.writeBigInt64BE(BigInt(firstOffset), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt8(2, 16);
  batch.writeInt32BE(lastOffset - firstOffset, 23);
  return batch;
}

/** By the library itself, from the bytes of an answer. */
async function decoded(...batches: readonly Buffer[]): Promise<readonly unknown[]> {
  const require = createRequire(import.meta.url);
  const Decoder = require("kafkajs/src/protocol/decoder.js") as new (bytes: Buffer) => unknown;
  const decodeMessages = require("kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js") as (
    decoder: unknown,
  ) => Promise<readonly unknown[]>;
  const set = Buffer.concat(batches);
  const length = Buffer.alloc(4);
  length.writeInt32BE(set.length);
  return decodeMessages(new Decoder(Buffer.concat([length, set])));
}

async function fetchedOf(messages: readonly unknown[]) {
  const data = { partition: 0, lastStableOffset: "40", messages, abortedTransactions: null };
  const cluster = clusterOf(async () => ({ responses: [{ partitions: [data] }] }));
  return new KafkajsReader(cluster as unknown as Cluster, "t", 0).fetch(from);
}

it("reads on behind batches that compaction has emptied", async () => {
  const messages = await decoded(emptiedBatch(3, 8), emptiedBatch(9, 21));
  expect(await fetchedOf(messages)).toEqual({ records: [], nextOffset: 22, endOffset: 40 });
});

it("reads on behind the place of a batch whose last records compaction has taken out", async () => {
  const batchContext = { firstOffset: "4", lastOffsetDelta: 9, producerId: "-1", inTransaction: false };
  const record = { offset: "6", key: null, value: Buffer.from("a"), isControlRecord: false, batchContext };
  const fetched = await fetchedOf([record]);
  expect(fetched).toEqual({ records: [{ offset: 6, value: record.value }], nextOffset: 14, endOffset: 40 });
});
