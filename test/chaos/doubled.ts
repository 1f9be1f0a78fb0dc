/** Where spans stand that were stored twice: in which batches, entries of the usage topic, and exports. */

import { decodeSpansEntry } from "../../src/ingest/spans-codec.ts";
import { decodeUsageEntry } from "../../src/ingest/usage-codec.ts";
import type { TestCluster } from "../support/cluster.ts";
import { entriesOf } from "../support/undisturbed.ts";
import type { Ask } from "./stored.ts";

const spansMax = 3;

/** A line for each kind of batches, and for each row and entry of the first few spans. */
export async function whereDoubled(cluster: TestCluster, ask: Ask): Promise<readonly string[]> {
  const batches = await ask<{ line: string }>(
    `SELECT concat(toString(count()), ' spans in batches ', arrayStringConcat(batches, ' and ')) AS line FROM (
       SELECT arraySort(groupArray(batch)) AS batches FROM usage_records GROUP BY tenant, trace_id, span_id
       HAVING sum(calls) > 1) GROUP BY batches ORDER BY count() DESC LIMIT 8`,
  );
  const spans = await ask<{ span_id: string }>(
    `SELECT span_id FROM usage_records GROUP BY tenant, trace_id, span_id HAVING sum(calls) > 1 LIMIT ${spansMax}`,
  );
  const wanted = new Set(spans.map(({ span_id: spanId }) => spanId));
  const rows = await ask<{ span_id: string; line: string }>(
    `SELECT span_id, concat('row of batch ', batch, ', revision ', toString(revision), ', calls ', toString(calls)) AS line
     FROM usage_records WHERE span_id IN ('${[...wanted].join("','")}')`,
  );
  return [
    ...batches.map(({ line }) => line),
    ...rows.map(({ span_id: spanId, line }) => `${spanId}: ${line}`),
    ...(await inUsage(cluster, wanted)),
    ...(await inSpans(cluster, wanted)),
  ];
}

async function inUsage(cluster: TestCluster, wanted: ReadonlySet<string>): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const partition of await partitionsOf(cluster, cluster.topics.usage))
    for (const { offset, payload } of await entriesOf(cluster, cluster.topics.usage, partition)) {
      const { arrivedAtMs, records } = decodeUsageEntry(payload);
      for (const { spanId, revision, calls } of records)
        if (wanted.has(spanId))
          lines.push(`${spanId}: usage ${partition}/${offset} at ${arrivedAtMs}, revision ${revision}, calls ${calls}`);
    }
  return lines;
}

async function inSpans(cluster: TestCluster, wanted: ReadonlySet<string>): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const partition of await partitionsOf(cluster, cluster.topics.spans))
    for (const { offset, payload } of await entriesOf(cluster, cluster.topics.spans, partition)) {
      const { arrivedAtMs, spans } = decodeSpansEntry(payload);
      for (const { spanId } of spans)
        if (wanted.has(spanId)) lines.push(`${spanId}: spans ${partition}/${offset} at ${arrivedAtMs}`);
    }
  return lines;
}

async function partitionsOf({ client }: TestCluster, topic: string): Promise<readonly number[]> {
  return [...(await client.endOffsets(topic)).keys()];
}
