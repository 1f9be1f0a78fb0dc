/**
 * Kafka clients by name, for suites and benches: the one in use, and one that is tried behind the same contract and not in
 * use (src/DECISIONS.md, 85).
 */

import type { KafkaAddress, KafkaClient } from "../../src/event-log/kafka-client.ts";
import { kafkajsClient } from "../../src/event-log/kafkajs-client.ts";
import { platformaticClient } from "./platformatic-client.ts";

export const kafkaClients: Readonly<Record<string, (address: KafkaAddress) => KafkaClient>> = {
  kafkajs: kafkajsClient,
  platformatic: platformaticClient,
};
