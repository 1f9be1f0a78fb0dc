/** How kafkajs is told where the brokers are. */

import kafkajs, { type KafkaConfig, type SASLOptions } from "kafkajs";
import type { KafkaAddress } from "./kafka-client.ts";
import { openSockets } from "./kafkajs-sockets.ts";

/**
 * From what a transaction takes to end, to longer than a leader takes to move; what asks waits meanwhile, and others try
 * again.
 */
const retry = { initialRetryTime: 3, maxRetryTime: 1000, retries: 15 };

export type KafkajsConfig = KafkaConfig & { readonly brokers: string[] };

/** The configuration of each connection. */
export function kafkajsConfig({ brokers, clientId, security }: KafkaAddress): KafkajsConfig {
  const { tls = null, sasl = null } = security ?? {};
  return {
    brokers: [...brokers],
    clientId,
    retry,
    socketFactory: openSockets(),
    logLevel: kafkajs.logLevel.NOTHING,
    ...(tls === null ? {} : { ssl: tls }),
    // The library's type has a case for each mechanism, of which ours is the union.
    ...(sasl === null ? {} : { sasl: sasl as SASLOptions }),
  };
}
