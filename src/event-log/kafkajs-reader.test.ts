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
