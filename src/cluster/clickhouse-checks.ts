/** The doctor's checks of ClickHouse: every server of every shard by itself. */

import type { Config } from "../config.ts";
import type { Check } from "../console/doctor.ts";
import { placeFault } from "../store/cluster-admin.ts";
import { readDatabase } from "../store/cluster-ddl.ts";
import { askAsReader, type ClickhouseState, inspectClickhouse } from "../store/inspect-clickhouse.ts";
import { attempt, clockCheck, judge, ok } from "./check-kinds.ts";
import { shardsOf } from "./shards.ts";

/** What the tests run with. */
const tested = [26, 7] as const;

/** A server, and how the lines about it begin. */
interface Server {
  readonly url: string;
  /** Null where rows are in one place. */
  readonly shard: string | null;
  readonly shards: number;
  readonly cluster: string | null;
}

/** One after the other: each failure is one line, with what to do. */
export async function checkClickhouse(config: Config): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const server of serversOf(config)) {
    const keys = server.shard === null ? "clickhouse.url" : "clickhouse.shards";
    const advice = `correct ${keys}, clickhouse.user and clickhouse.password, or start the server at ${server.url}`;
    checks.push(
      ...(await attempt(`clickhouse${of(server)}`, advice, async () => {
        const { clickhouseDatabase: database, clickhouseUser: username, clickhousePassword: password } = config;
        const { url, cluster } = server;
        const state = await inspectClickhouse({ url, database, username, password, cluster }, Date.now);
        return [...serverChecks(config, server, state), ...clusterChecks(config, server, state)];
      })),
    );
  }
  if (checks.length > 0) return checks;
  const advice = "resolvers and writers need clickhouse.url or clickhouse.shards";
  return [{ name: "clickhouse", status: "warn", detail: "none is configured", advice }];
}

/** Whoever asks questions where that is another user than who writes. */
export async function checkReader(config: Config): Promise<readonly Check[]> {
  const { clickhouseDatabase, clickhouseReadUser: username } = config;
  const [server] = serversOf(config);
  if (server === undefined || username === null) return [];
  const { url, cluster } = server;
  const database = cluster === null ? clickhouseDatabase : readDatabase(clickhouseDatabase);
  const advice = `correct clickhouse.read_user and clickhouse.read_password; it needs SELECT ON ${database}.* and readonly = 2 or 0`;
  return attempt("clickhouse reader", advice, async () => {
    await askAsReader({ url, database, username, password: config.clickhouseReadPassword });
    return [ok("clickhouse reader", `${username} may ask`)];
  });
}

function serversOf(config: Config): readonly Server[] {
  const sharded = shardsOf(config);
  if (sharded === null)
    return config.clickhouseUrl === null ? [] : [{ url: config.clickhouseUrl, shard: null, shards: 1, cluster: null }];
  const { shards, cluster } = sharded;
  return shards.flatMap((urls, index) =>
    urls.map((url) => ({ url, shard: String(index + 1), shards: shards.length, cluster })),
  );
}

function of({ shard, url }: Server): string {
  return shard === null ? "" : ` of shard ${shard} (${url})`;
}

function serverChecks(config: Config, server: Server, state: ClickhouseState): readonly Check[] {
  const { clickhouseUser, clickhouseDatabase: database } = config;
  const { version, clockMs, askedAtMs, answeredAtMs, databaseExists, faults, lacking } = state;
  const failed = (detail: string, advice: string): Check => ({
    name: `tables${of(server)}`,
    status: "fail",
    detail,
    advice,
  });
  const migrate = "start a writer of this version, which migrates; what was changed by hand must be changed back";
  const tables = databaseExists
    ? faults.map((detail) => failed(detail, migrate))
    : [failed(`there is no database ${database}`, "start a writer: it makes it")];
  const granted: Check =
    lacking === null
      ? ok(`grants${of(server)}`, "this server cannot say them")
      : judge(`grants${of(server)}`, lacking.length === 0, {
          detail: `${clickhouseUser} may ${lacking.length === 0 ? "do all that is needed" : `not ${lacking.join(", ")}`}`,
          fault: ` on ${database}`,
          advice: `GRANT ${lacking.join(", ")} ON ${database}.* TO ${clickhouseUser}`,
        });
  return [
    versionCheck(server, version),
    clockCheck(`clock of ClickHouse${of(server)}`, clockMs, { before: askedAtMs, after: answeredAtMs }),
    ...(tables.length > 0 ? tables : [ok(`tables${of(server)}`, `of ${database} are as they should be`)]),
    granted,
  ];
}

/** @param version as the server says it, such as 26.7.2.1. */
export function versionCheck({ url, shard }: Pick<Server, "url" | "shard">, version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const known = major > tested[0] || (major === tested[0] && minor >= tested[1]);
  return judge(`clickhouse${shard === null ? "" : ` of shard ${shard}`}`, known, {
    detail: `${url} ${version}`,
    fault: `, older than ${tested.join(".")}, which this version is tested with`,
    advice: "upgrade the server; what holds with older ones nobody has tried",
    status: "warn",
  });
}

/** Of a server that belongs to a cluster of ClickHouse's own. */
function clusterChecks(config: Config, server: Server, { membership }: ClickhouseState): readonly Check[] {
  const { url, shard, shards, cluster } = server;
  if (cluster === null || shard === null || membership === null) return [];
  const { clickhouseDatabase: database } = config;
  const { rows, macros, readonlyTables, plainTables, readingLags } = membership;
  const fault = placeFault(rows, { cluster, shard, shards, url });
  const lost = ["shard", "replica"].filter((name) => !macros.includes(name));
  const local = rows.some((row) => row.cluster === cluster && row.is_local === 1);
  return [
    fault === null
      ? judge(`cluster${of(server)}`, local, {
          detail: `place ${shard} of ${shards} in ${cluster}`,
          fault: ", but the server does not find itself there",
          advice: `see that ${cluster} in remote_servers names this server by a host name and port that are its own`,
          status: "warn",
        })
      : {
          name: `cluster${of(server)}`,
          status: "fail",
          detail: fault,
          advice: "SELECT * FROM system.clusters shows all",
        },
    judge(`macros${of(server)}`, lost.length === 0, {
      detail: lost.length === 0 ? "shard and replica" : `no macro ${lost.join(", ")}`,
      fault: ": replicated tables have no place in Keeper",
      advice: "set it under macros in the server's configuration: shard the same on all replicas of a shard",
    }),
    judge(`replicas${of(server)}`, readonlyTables.length === 0 && plainTables.length === 0, {
      detail:
        [
          ...readonlyTables.map((table) => `${table} is read-only`),
          ...plainTables.map((table) => `${table} is not replicated`),
        ].join(", ") || "take inserts",
      fault: "",
      advice:
        readonlyTables.length > 0
          ? "see that the server reaches Keeper; SYSTEM RESTART REPLICA TABLE, SYSTEM RESTORE REPLICA TABLE where its metadata are lost"
          : "the tables were made without clickhouse.cluster: ATTACH TABLE ... AS REPLICATED, or choose another clickhouse.database",
    }),
    judge(`all shards${of(server)}`, !readingLags, {
      detail: `${readDatabase(database)} ${readingLags ? "lacks tables or columns" : "shows every table"}`,
      fault: ` of ${database}`,
      advice: "burnwatch migrate, or start a writer of this version",
    }),
  ];
}
