/**
 * What kafkajs has and does not offer: a fetch of one partition from any offset, without a consumer group. Its consumers
 * join a group for that, which costs a rebalance and a position that is not ours. The version is pinned and the library
 * is not worked on any more, so that what stands here stays as it is.
 */

import { createRequire } from "node:module";
import type { KafkaConfig } from "kafkajs";
import type { AbortedTransaction, FetchedMessage } from "./kafkajs-committed.ts";

interface PartitionData {
  readonly partition: number;
  readonly lastStableOffset: string;
  readonly messages: readonly FetchedMessage[];
  readonly abortedTransactions: readonly AbortedTransaction[] | null;
}

interface Broker {
  readonly connectionPool: {
    send<Answer>(question: {
      readonly request: {
        readonly apiKey: number;
        readonly apiVersion: number;
        readonly apiName: string;
        readonly encode: () => Promise<unknown>;
      };
      readonly response: {
        readonly decode: (bytes: Buffer) => Promise<Answer>;
        readonly parse: (answer: Answer) => Promise<Answer>;
      };
    }): Promise<Answer>;
  };
  fetch(request: {
    readonly isolationLevel: number;
    readonly maxWaitTime: number;
    readonly maxBytes: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly {
        readonly partition: number;
        readonly fetchOffset: string;
        readonly maxBytes: number;
      }[];
    }[];
  }): Promise<{ readonly responses: readonly { readonly partitions: readonly PartitionData[] }[] }>;
}

export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Readonly<Record<string, readonly number[]>>;
  readonly brokerPool: {
    readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>;
  };
  findBroker(which: { readonly nodeId: string }): Promise<Broker>;
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
      readonly fromBeginning?: boolean;
      readonly fromTimestamp?: number;
    }[],
  ): Promise<readonly { readonly partitions: readonly { readonly partition: number; readonly offset: string }[] }[]>;
}

const require = createRequire(import.meta.url);
const createLogger = (require("kafkajs/src/loggers/index.js") as { createLogger: (options: unknown) => unknown })
  .createLogger;
const ClusterOf = require("kafkajs/src/cluster/index.js") as new (options: unknown) => Cluster;

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

/**
 * A queue of kafkajs looks after its waiting requests by a timer that begins itself again every millisecond, for each
 * connection and for ever, also when none wait; and its negative timeout makes Node warn. Here it rests when there is
 * nothing to look after: a request that must wait begins it anew.
 */
const queue = (require("kafkajs/src/network/requestQueue/index.js") as { readonly prototype: RequestQueue }).prototype;
const schedule = queue.scheduleCheckPendingRequests;
queue.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
};

interface RecordBatch {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly inTransaction: boolean;
  readonly records: readonly FetchedMessage[];
}

/**
 * Compaction may leave a batch without records, of which the answer to a fetch then shows nothing: whoever asks again at
 * the same place gets the same, for ever. Here it shows its end as the end of a transaction, which readers step over. The
 * library loads what decodes answers with the first one.
 */
const decoderPath = require.resolve("kafkajs/src/protocol/recordBatch/v0/decoder.js");
const decodeBatch = require(decoderPath) as (decoder: unknown) => Promise<RecordBatch>;
const decoderModule = require.cache[decoderPath];
if (decoderModule === undefined) throw new Error("kafkajs is not the version that this was written for");
decoderModule.exports = async (decoder: unknown): Promise<RecordBatch> => {
  const batch = await decodeBatch(decoder);
  if (batch.records.length > 0) return batch;
  const offset = String(Number(batch.firstOffset) + batch.lastOffsetDelta);
  return { ...batch, records: [{ offset, key: null, value: null, isControlRecord: true, batchContext: batch }] };
};

export const readUncommitted = 0;
export const readCommitted = 1;

/** A set of connections of its own. */
export function openCluster(
  config: KafkaConfig & { readonly brokers: string[] },
  isolationLevel: number = readCommitted,
): Cluster {
  return new ClusterOf({
    ...config,
    logger: createLogger({ level: config.logLevel, logCreator: () => () => undefined }),
    connectionTimeout: config.connectionTimeout ?? 1000,
    enforceRequestTimeout: true,
    allowAutoTopicCreation: false,
    metadataMaxAge: 300_000,
    maxInFlightRequests: null,
    isolationLevel,
  });
}
