import { expect, it } from "vitest";
import type { KafkaClient } from "./kafka-client.ts";
import { OwnedPartitions } from "./owned-partitions.ts";

/** A group that deals as it is told, and deals once more to whoever is about to leave. */
function groupThatDeals(): { readonly client: KafkaClient; deal: (partitions: readonly number[]) => void } {
  const group = {
    deal: (_: readonly number[]): void => undefined,
    client: {
      join: async (_: string, __: string, assigned: (partitions: readonly number[]) => void) => {
        group.deal = assigned;
        return { leave: async () => assigned([0, 1]) };
      },
    } as unknown as KafkaClient,
  };
  return group;
}

it("opens nothing any more once it was told to stop, whatever its group deals until it has left", async () => {
  const group = groupThatDeals();
  const stopping = Promise.withResolvers<void>();
  const opened: number[] = [];
  const owned = new OwnedPartitions({
    client: group.client,
    group: "g",
    topic: "t",
    open: async (partition) => {
      opened.push(partition);
      return { failed: new Promise(() => undefined), stop: () => stopping.promise };
    },
    failed: () => undefined,
  });
  await owned.start();
  group.deal([0]);
  await expect.poll(() => opened).toEqual([0]);
  const stopped = owned.stop();
  group.deal([0, 1, 2]);
  stopping.resolve();
  await stopped;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(opened).toEqual([0]);
  expect(owned.partitions()).toEqual([]);
});
