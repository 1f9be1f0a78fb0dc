/** `burnwatch lag`: how far the parts of a cluster are behind. */

import { firstUnread, groupLag, type PartitionLag } from "../event-log/group-lag.ts";
import type { KafkaClient } from "../event-log/kafka-client.ts";
import { groupsOf, type KafkaGroup } from "../event-log/kafka-topics.ts";
import { arrivedAtMsOf } from "../ingest/entry-bytes.ts";
import { type Command, defineCommand } from "./command.ts";
import { clusterOption, type OpenCluster, withCluster } from "./operated-cluster.ts";
import { renderTable, tableOptions } from "./table.ts";

interface Row {
  /** Of a role: a detector has two. */
  readonly part: string;
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number | null;
  readonly end_offset: number;
  readonly records: number;
  /** Age of the first record that was not read; 0 where there is none, null where it does not tell. */
  readonly seconds: number | null;
}

const headBytes = 13;
/** Longer than any log is kept. */
const ageSecondsMax = 60 * 86_400;
const columns = [
  { title: "part" },
  { title: "topic" },
  { title: "partition", align: "right" },
  { title: "at", align: "right" },
  { title: "end", align: "right" },
  { title: "records", align: "right" },
  { title: "seconds", align: "right" },
] as const;

/** Over the cluster that `open` finds. */
export function lag(open: OpenCluster): Command {
  return defineCommand({
    name: "lag",
    summary: "Of a cluster: how far each part is behind, by partition, in records and seconds.",
    about: `A record of a topic is an entry with many spans. Ends of transactions have offsets too: a part that has read everything
may stand a few before the end, and is 0 records and 0 seconds behind. Metrics of each process: burnwatch_lag_records.`,
    options: { json: { type: "boolean", help: "the answer as JSON" }, ...clusterOption },
    examples: ["burnwatch lag", "burnwatch lag --json"],
    run({ values }, io) {
      return withCluster(open, { config: values.config, io }, async ({ client, prefix }) => {
        const rows: Row[] = [];
        for (const group of groupsOf({ prefix }))
          for (const one of await groupLag(client, group.group, group.topic))
            rows.push(await rowOf(client, group, one));
        if (values.json === true) io.stdout.write(`${JSON.stringify({ lag: rows })}\n`);
        else io.stdout.write(renderTable(columns, rows.map(cellsOf), tableOptions(io.stdout, io.env)));
        return 0;
      });
    },
  });
}

async function rowOf(client: KafkaClient, { name, group, topic }: KafkaGroup, one: PartitionLag): Promise<Row> {
  const { partition, offset, endOffset: end_offset } = one;
  const about = { part: name, group, topic, partition, offset, end_offset };
  const unread = one.records === 0 ? undefined : await firstUnread(client, topic, one);
  if (unread === undefined) return { ...about, records: 0, seconds: 0 };
  return { ...about, records: one.records, seconds: unread.length < headBytes ? null : ageSeconds(unread) };
}

/** Logs say at the same place when an entry arrived. */
function ageSeconds(entry: Uint8Array): number | null {
  const seconds = (Date.now() - arrivedAtMsOf(entry)) / 1000;
  // What is no entry of a log (claims are not) says something else there.
  return Math.abs(seconds) < ageSecondsMax ? Math.max(0, Math.round(seconds)) : null;
}

function cellsOf({ part, topic, partition, offset, end_offset, records, seconds }: Row): readonly string[] {
  const at = offset === null ? "not begun" : String(offset);
  return [
    part,
    topic,
    String(partition),
    at,
    String(end_offset),
    String(records),
    seconds === null ? "?" : String(seconds),
  ];
}
