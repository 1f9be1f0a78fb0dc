/** How many bytes topics take on the brokers' disks: a question (DescribeLogDirs) that kafkajs does not know. */

import { createRequire } from "node:module";
import { protocolError } from "./kafkajs-errors.ts";
import type { Cluster } from "./kafkajs-internals.ts";

interface Encoder {
  writeInt32(value: number): Encoder;
}

interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readInt64(): bigint | { toString(): string };
  readString(): string;
  readBoolean(): boolean;
  readArray<Item>(read: (decoder: Decoder) => Item): Item[];
}

const require = createRequire(import.meta.url);
const EncoderOf = require("kafkajs/src/protocol/encoder.js") as new () => Encoder;
const DecoderOf = require("kafkajs/src/protocol/decoder.js") as new (bytes: Buffer) => Decoder;
const { createErrorFromCode } = require("kafkajs/src/protocol/error.js") as {
  createErrorFromCode: (code: number) => Error;
};

/** Version 1, which brokers of 2.0 to 4 know. */
const [apiKey, apiVersion] = [35, 1];
const everyTopic = -1;

interface LogDir {
  readonly errorCode: number;
  readonly topics: readonly { readonly topic: string; readonly bytes: number }[];
}

/** By topic, all copies of all brokers together; null where the user may not ask (Describe on the cluster). */
export async function logSizes(
  cluster: Cluster,
  brokers: readonly number[],
): Promise<ReadonlyMap<string, number> | null> {
  const sizes = new Map<string, number>();
  // Brokers are found by what is known of topics.
  await cluster.refreshMetadata();
  for (const nodeId of brokers) {
    const broker = await cluster.findBroker({ nodeId: String(nodeId) });
    const dirs = await broker.connectionPool.send({ request, response });
    for (const { errorCode, topics } of dirs) {
      if (errorCode !== 0) {
        const error = createErrorFromCode(errorCode);
        if (protocolError(error).endsWith("AUTHORIZATION_FAILED")) return null;
        throw error;
      }
      for (const { topic, bytes } of topics) sizes.set(topic, (sizes.get(topic) ?? 0) + bytes);
    }
  }
  return sizes;
}

const request = {
  apiKey,
  apiVersion,
  apiName: "DescribeLogDirs",
  encode: async () => new EncoderOf().writeInt32(everyTopic),
};

const response = {
  async decode(bytes: Buffer): Promise<readonly LogDir[]> {
    const decoder = new DecoderOf(bytes);
    // The time by which the broker throttles.
    decoder.readInt32();
    return decoder.readArray((dir) => {
      const errorCode = dir.readInt16();
      // The directory on the broker's machine.
      dir.readString();
      return { errorCode, topics: dir.readArray(topicIn) };
    });
  },
  parse: async (dirs: readonly LogDir[]) => dirs,
};

function topicIn(decoder: Decoder): LogDir["topics"][number] {
  const topic = decoder.readString();
  const sizes = decoder.readArray((partition) => {
    partition.readInt32();
    const size = Number(partition.readInt64().toString());
    // How far a copy that is being moved is behind, and whether this is one.
    partition.readInt64();
    partition.readBoolean();
    return size;
  });
  return { topic, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
