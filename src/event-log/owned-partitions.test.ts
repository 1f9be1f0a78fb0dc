import { expect, it } from "vitest";
import type { GroupMember, KafkaClient } from "./kafka-client.ts";
import { OwnedPartitions } from "./owned-partitions.ts";

/** A group that deals as it is told, and deals once more to whoever is about to leave. */
function groupThatDeals(): { readonly client: KafkaClient; deal: (partitions: readonly number[]) => void } {
  const group = {
    deal: (_: readonly number[]): void => undefined,
    client: {
      join: async (_: string, __: string, { assigned }: GroupMember) => {
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

it("says why its group does not take it, until it is dealt a share again", async () => {
  let member: GroupMember | undefined;
  const join = async (_: string, __: string, told: GroupMember) => {
    member = told;
    return { leave: async () => undefined };
  };
  const open = async () => ({ failed: new Promise(() => undefined), stop: async () => undefined });
  const client = { join } as unknown as KafkaClient;
  const owned = new OwnedPartitions({ client, group: "g", topic: "t", open, failed: () => undefined });
  await owned.start();
  expect(owned.outside()).toBeNull();
  member?.assigned([]);
  member?.outside?.(new Error("not allowed to you"), 1000);
  expect(owned.outside()).toBe("not allowed to you");
  member?.assigned([0]);
  expect(owned.outside()).toBeNull();
  await owned.stop();
});
