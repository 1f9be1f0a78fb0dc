/** `burnwatch lag`: how far the parts of a cluster are behind. */

import { type Command, defineCommand } from "./command.ts";
import { clusterOption, type OpenCluster, withCluster } from "./operated-cluster.ts";
import { type PartLag, partLags } from "./part-lag.ts";
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
  /** As of `PartLag`. */
  readonly seconds: number | null;
}

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
may stand a few before the end, and is 0 records and 0 seconds behind. Entries that only tell the time are not waited for. Metrics of each process: burnwatch_lag_records.`,
    options: { json: { type: "boolean", help: "the answer as JSON" }, ...clusterOption },
    examples: ["burnwatch lag", "burnwatch lag --json"],
    run({ values }, io) {
      return withCluster(open, { config: values.config, io }, async ({ client, prefix }) => {
        const rows = (await partLags(client, prefix, Date.now())).map(rowOf);
        if (values.json === true) io.stdout.write(`${JSON.stringify({ lag: rows })}\n`);
        else io.stdout.write(renderTable(columns, rows.map(cellsOf), tableOptions(io.stdout, io.env)));
        return 0;
      });
    },
  });
}

function rowOf({ name, group, topic, partition, offset, endOffset, records, seconds }: PartLag): Row {
  return { part: name, group, topic, partition, offset, end_offset: endOffset, records, seconds };
}

function cellsOf({ part, topic, partition, offset, end_offset, records, seconds }: Row): readonly string[] {
  const at = offset === null ? "not begun" : String(offset);
  const age = seconds === null ? "?" : String(seconds);
  return [part, topic, String(partition), at, String(end_offset), String(records), age];
}
