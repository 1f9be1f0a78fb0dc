/**
 * A writer in a process of its own, to be killed: it writes what a usage log has into the shards, and ends.
 * `node test/support/shard-writer.ts DIRECTORY LOG_ID URL,...`
 */

import { fileURLToPath } from "node:url";
import { DiskSpace } from "../../src/event-log/disk-space.ts";
import { LmdbUsageLog } from "../../src/event-log/lmdb-usage-log.ts";
import { Writer, type WriterOptions } from "../../src/ingest/writer.ts";
import { openShardedStore } from "../../src/store/sharded.ts";
import type { Store } from "../../src/store/store.ts";

export const shardDatabase = "burnwatch";

/** The shards at these addresses, without a cluster of ClickHouse's own. */
export function shardsAt(urls: readonly string[]): Store {
  const options = { database: shardDatabase, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 };
  return openShardedStore({ shards: urls.map((url) => [url]), cluster: null, requestTimeoutMs: 30_000, ...options });
}

export function openUsageLog(directory: string): LmdbUsageLog {
  return new LmdbUsageLog({ directory, identities: { horizonMs: 1000, entriesMax: 1000 } });
}

/** One of several writers, with batches of an entry or a few. */
export function shardWriter(
  options: Pick<WriterOptions, "logId" | "usage" | "store"> & Partial<Pick<WriterOptions, "failed" | "slowed">>,
  directory: string,
): Writer {
  return new Writer({
    fresh: null,
    space: new DiskSpace({ directory, freeBytesMin: 0 }),
    rowsMax: 100,
    alone: false,
    lingerMs: 1,
    now: Date.now,
    observe: () => undefined,
    repaired: () => undefined,
    failed: () => undefined,
    ...options,
  });
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] === self) {
  const [directory = "", logId = "", urls = ""] = process.argv.slice(2);
  const usage = openUsageLog(directory);
  const store = shardsAt(urls.split(","));
  const writer = shardWriter({ logId, usage, store }, directory);
  writer.start();
  process.stdout.write("writing\n");
  while (writer.offset() < usage.entries.lastOffset()) await new Promise((resolve) => setTimeout(resolve, 20));
  await writer.stop();
  await store.close();
  await usage.close();
}
