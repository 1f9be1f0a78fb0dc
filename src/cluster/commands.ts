/** The commands that look after a cluster, joined with the configuration that says where it is. */

import { type Command, type CommandIo, UsageError } from "../console/command.ts";
import { deadLetter } from "../console/dead-letter.ts";
import { type Configured, doctor } from "../console/doctor.ts";
import { lag } from "../console/lag.ts";
import { migrate } from "../console/migrate.ts";
import type { OperatedCluster } from "../console/operated-cluster.ts";
import { topics } from "../console/topics.ts";
import { topicSpecs, topicsOf } from "../event-log/kafka-topics.ts";
import { refusing, usableConfig } from "../refused-config.ts";
import { checkCluster } from "./checks.ts";
import { kafkaAddressOf } from "./kafka-address.ts";
import { layoutOf } from "./parts.ts";
import { openTables } from "./tables.ts";

/** In the order of the help. */
export const clusterCommands: readonly Command[] = [
  doctor(checksOf),
  topics(openCluster),
  lag(openCluster),
  deadLetter(openCluster),
  migrate(openTables),
];

async function checksOf(file: string | undefined, io: CommandIo): Promise<Configured> {
  const config = usableConfig(file, io);
  const data = file === undefined ? null : config.data;
  if (config.kafkaBrokers === null) return { data, checks: null };
  const cluster = await openCluster(file, io);
  try {
    return { data, checks: await checkCluster(config, cluster) };
  } finally {
    await cluster.close();
  }
}

async function openCluster(file: string | undefined, io: CommandIo): Promise<OperatedCluster> {
  const config = usableConfig(file, io);
  if (config.kafkaBrokers === null)
    throw new UsageError(
      "this is for a cluster: name its brokers with kafka.brokers in --config FILE, or BURNWATCH_KAFKA_BROKERS",
    );
  // Loaded here: one machine has no use for them.
  const { kafkajsClient } = await import("../event-log/kafkajs-client.ts");
  const { kafkajsOperator } = await import("../event-log/kafkajs-operator.ts");
  const address = refusing(() => kafkaAddressOf(config, "burnwatch-console"));
  const [client, operator] = [kafkajsClient(address), kafkajsOperator(address)];
  const layout = layoutOf(config);
  return {
    client,
    operator,
    prefix: config.kafkaPrefix,
    topics: topicsOf(layout),
    specs: topicSpecs(layout, { horizonMs: config.identityHours * 3_600_000 }),
    async close() {
      await Promise.all([client.close(), operator.close()]);
    },
  };
}
