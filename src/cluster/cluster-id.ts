/**
 * Which cluster of brokers a process works with. Places, copies of memory and batches belong to one: over another they
 * would be taken for its own.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, ConfigError } from "../config.ts";

const fileName = "kafka-cluster-id";

/** Compares with the configured id and with the one that the data directory met first, and remembers it. @throws ConfigError. */
export function checkClusterId({ data, kafkaBrokers, kafkaClusterId }: Config, found: string): void {
  const brokers = kafkaBrokers?.join(", ");
  if (kafkaClusterId !== null && kafkaClusterId !== found)
    throw new ConfigError(
      `the brokers at ${brokers} are of cluster ${found}, and kafka.cluster_id says ${kafkaClusterId}: correct kafka.brokers or kafka.cluster_id`,
    );
  const known = rememberedClusterId(data);
  if (known !== null && known !== found)
    throw new ConfigError(
      `the brokers at ${brokers} are of cluster ${found}, and ${data} has worked with ${known}: correct kafka.brokers, or choose another --data for this cluster`,
    );
  if (known === found) return;
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, fileName), `${found}\n`);
}

/** The one that the data directory has met, null where it has met none. */
export function rememberedClusterId(data: string): string | null {
  const file = join(data, fileName);
  return existsSync(file) ? readFileSync(file, "utf8").trim() : null;
}
