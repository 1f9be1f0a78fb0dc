/** A cluster as the commands that look after it see it: its brokers themselves, since no server needs to run. */

import type { KafkaClient, TopicSpec } from "../event-log/kafka-client.ts";
import type { KafkaOperator } from "../event-log/kafka-operator.ts";
import type { KafkaTopics } from "../event-log/kafka-topics.ts";
import type { CommandIo } from "./command.ts";

export interface OperatedCluster {
  readonly client: KafkaClient;
  readonly prefix: string;
  readonly topics: KafkaTopics;
  /** What the topics should be. */
  readonly specs: readonly TopicSpec[];
  readonly operator: KafkaOperator;
  close(): Promise<void>;
}

/** Finds the cluster of a configuration. @throws UsageError where it has none. */
export type OpenCluster = (config: string | undefined, io: CommandIo) => Promise<OperatedCluster>;

/** An expected failure of a command on a cluster: one line, and what to do where that is known. */
export class ClusterError extends Error {
  override name = "ClusterError";
  readonly hint: string | undefined;

  constructor(message: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
  }
}

/** The option by which these commands find it. */
export const clusterOption = {
  config: { type: "string", value: "FILE", help: "the configuration of the cluster's processes (or the environment)" },
} as const;

/** Works on the cluster and closes it; what its brokers refuse is an expected failure. */
export async function withCluster<Result>(
  open: OpenCluster,
  { config, io }: { readonly config: string | undefined; readonly io: CommandIo },
  work: (cluster: OperatedCluster) => Promise<Result>,
): Promise<Result> {
  const cluster = await open(config, io);
  try {
    return await work(cluster);
  } catch (error) {
    if (error instanceof ClusterError || !(error instanceof Error)) throw error;
    throw new ClusterError(error.message, { hint: "burnwatch doctor says what is wrong", cause: error });
  } finally {
    await cluster.close();
  }
}
