/** `burnwatch topics`: the topics of a cluster, and what is wrong with them. */

import type { KafkaClient, TopicSpec } from "../event-log/kafka-client.ts";
import type { TopicState } from "../event-log/kafka-operator.ts";
import { type TopicFault, topicFaults } from "../event-log/topic-faults.ts";
import { type Command, defineCommand } from "./command.ts";
import { clusterOption, type OpenCluster, withCluster } from "./operated-cluster.ts";
import { plainText, renderTable, tableOptions } from "./table.ts";

interface Row {
  readonly topic: string;
  readonly partitions: number;
  readonly replicas: number;
  readonly in_sync: number;
  /** Null where it is not known, -1 without end. */
  readonly kept_hours: number | null;
  readonly records: number;
  /** On the brokers' disks, all copies together; null where the user may not ask. */
  readonly bytes: number | null;
  readonly faults: readonly TopicFault[];
}

const columns = [
  { title: "topic" },
  { title: "partitions", align: "right" },
  { title: "copies", align: "right" },
  { title: "in sync", align: "right" },
  { title: "kept", align: "right" },
  { title: "records", align: "right" },
  { title: "MB", align: "right" },
] as const;

/** Over the cluster that `open` finds. */
export function topics(open: OpenCluster): Command {
  return defineCommand({
    name: "topics",
    summary: "Of a cluster: its topics, how long they are kept, and what is wrong with them.",
    about: `Copies and those in sync are of the partition that has the fewest. Ends of transactions count as records. MB are what all
copies take on the brokers' disks (compressed; a user of Kafka needs Describe on the cluster to see them).`,
    options: { json: { type: "boolean", help: "the answer as JSON" }, ...clusterOption },
    examples: ["burnwatch topics", "burnwatch topics --json"],
    run({ values }, io) {
      return withCluster(open, { config: values.config, io }, async ({ client, operator, specs }) => {
        const found = new Map(
          (await operator.topics(specs.map(({ topic }) => topic))).map((state) => [state.topic, state]),
        );
        const sizes = await operator.sizes();
        const rows = await Promise.all(
          specs.map(async (spec) => {
            const bytes = sizes === null ? null : (sizes.get(spec.topic) ?? 0);
            return { ...(await rowOf(client, spec, found.get(spec.topic))), bytes };
          }),
        );
        if (values.json === true) io.stdout.write(`${JSON.stringify({ topics: rows })}\n`);
        else
          io.stdout.write(renderTable(columns, rows.map(cellsOf), tableOptions(io.stdout, io.env)) + faultLines(rows));
        return rows.some(({ faults }) => faults.some(({ severe }) => severe)) ? 1 : 0;
      });
    },
  });
}

async function rowOf(client: KafkaClient, spec: TopicSpec, state: TopicState | undefined) {
  const partitions = state?.partitions ?? [];
  const fewest = (of: (partition: TopicState["partitions"][number]) => readonly number[]) =>
    partitions.length === 0 ? 0 : Math.min(...partitions.map((partition) => of(partition).length));
  const keptMs = state?.settings?.["retention.ms"];
  return {
    topic: spec.topic,
    partitions: partitions.length,
    replicas: fewest(({ replicas }) => replicas),
    in_sync: fewest(({ inSync }) => inSync),
    kept_hours: keptMs === undefined ? null : keptMs === "-1" ? -1 : Math.round(Number(keptMs) / 3_600_000),
    records: state === undefined ? 0 : await recordsOf(client, spec.topic),
    faults: topicFaults(spec, state),
  };
}

async function recordsOf(client: KafkaClient, topic: string): Promise<number> {
  const [ends, starts] = await Promise.all([client.endOffsets(topic), client.startOffsets(topic)]);
  const counts = Array.from(ends, ([partition, end]) => end - (starts.get(partition) ?? end));
  return counts.reduce((sum, count) => sum + count, 0);
}

function cellsOf({ topic, partitions, replicas, in_sync, kept_hours, records, bytes }: Row): readonly string[] {
  const megabytes = bytes === null ? "?" : (bytes / 1e6).toFixed(1);
  return [
    topic,
    String(partitions),
    String(replicas),
    String(in_sync),
    keptText(kept_hours),
    String(records),
    megabytes,
  ];
}

function keptText(hours: number | null): string {
  if (hours === null) return "?";
  if (hours < 0) return "for ever";
  return hours % 24 === 0 ? `${hours / 24} d` : `${hours} h`;
}

function faultLines(rows: readonly Row[]): string {
  const lines = rows.flatMap(({ topic, faults }) =>
    faults.map(
      ({ fault, advice, severe }) =>
        `${severe ? "fail" : "warn"}  ${plainText(`${topic}: ${fault}`)}\n      -> ${plainText(advice)}\n`,
    ),
  );
  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}
