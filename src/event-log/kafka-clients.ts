/** The Kafka clients by name. Each is loaded when it is asked for: one machine has no use for any. */

import type { KafkaAddress, KafkaClient } from "./kafka-client.ts";

export type OpenKafkaClient = (address: KafkaAddress) => KafkaClient;

export const kafkaClients = {
  kafkajs: async (): Promise<OpenKafkaClient> => (await import("./kafkajs-client.ts")).kafkajsClient,
  platformatic: async (): Promise<OpenKafkaClient> => (await import("./platformatic-client.ts")).platformaticClient,
} as const;

export type KafkaClientName = keyof typeof kafkaClients;
