/** The tables of a cluster, for the command that makes or shows them. */

import type { CommandIo } from "../console/command.ts";
import type { OperatedTables } from "../console/migrate.ts";
import { ClusterError } from "../console/operated-cluster.ts";
import { refusing, usableConfig } from "../refused-config.ts";
import { clusterScript } from "../store/cluster-ddl.ts";
import { openShardedStore } from "../store/sharded.ts";
import { remoteOptionsOf, shardsOf } from "./shards.ts";

/** @throws UsageError for a configuration that cannot be. */
export function openTables(file: string | undefined, io: CommandIo): OperatedTables {
  const config = usableConfig(file, io);
  const { rawRetentionDays, rollupRetentionMonths, clickhouseCluster } = config;
  const remote = remoteOptionsOf(config);
  return {
    script() {
      const place = { cluster: clickhouseCluster ?? "burnwatch", database: config.clickhouseDatabase };
      const { coldStorage } = remote;
      const retention = { rawRetentionDays, rollupRetentionMonths };
      return clusterScript(place, coldStorage === undefined ? retention : { ...retention, coldStorage });
    },
    async migrate() {
      const alone = config.clickhouseUrl === null ? null : { shards: [[config.clickhouseUrl]], cluster: null };
      const sharded = refusing(() => shardsOf(config)) ?? alone;
      if (sharded === null)
        throw new ClusterError("there is no ClickHouse server to make tables on", {
          hint: "name it with clickhouse.url or clickhouse.shards in --config FILE",
        });
      const store = openShardedStore({ ...sharded, ...remote });
      try {
        return await store.migrate();
      } catch (error) {
        throw new ClusterError((error as Error).message, { hint: "burnwatch doctor says more", cause: error });
      } finally {
        await store.close();
      }
    },
  };
}
