/** What `burnwatch doctor` asks a ClickHouse server: nothing is made or changed. */

import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { type ClusterRow, clusterRows, plainTables } from "./cluster-admin.ts";
import { readingLags } from "./cluster-ddl.ts";
import { schemaFaults } from "./migrations.ts";

export interface ClickhouseAddress {
  readonly url: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  /** Where the server belongs to a cluster of ClickHouse's own. */
  readonly cluster: string | null;
}

/** What a server knows of its cluster. */
export interface Membership {
  /** Of every cluster that it knows. */
  readonly rows: readonly ClusterRow[];
  readonly macros: readonly string[];
  /** Tables that take no inserts, since their replica has lost Keeper. */
  readonly readonlyTables: readonly string[];
  readonly plainTables: readonly string[];
  /** Whether the database that sees all shards lacks something. */
  readonly readingLags: boolean;
}

export interface ClickhouseState {
  readonly version: string;
  /** Its clock when it answered, Unix milliseconds; what it is compared with was read before and after. */
  readonly clockMs: number;
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  readonly databaseExists: boolean;
  /** What the tables lack, a line each; empty where the database is not there. */
  readonly faults: readonly string[];
  /** Privileges that the user lacks; null where the server cannot say. */
  readonly lacking: readonly string[] | null;
  readonly membership: Membership | null;
}

const timeoutMs = 10_000;
/** What writers and resolvers do. */
const privileges = ["SELECT", "INSERT", "CREATE TABLE", "CREATE VIEW", "ALTER TABLE", "DROP VIEW"];

/** @throws Error with one line where it does not answer, or refuses the user. */
export async function inspectClickhouse(address: ClickhouseAddress, now: () => number): Promise<ClickhouseState> {
  const { url, database, username, password } = address;
  const credentials = { username, password, request_timeout: timeoutMs, log: { level: ClickHouseLogLevel.OFF } };
  const client = createClient({ url, ...credentials });
  const inDatabase = createClient({ url, ...credentials, database });
  const ask = async <Row>(of: typeof client, query: string) => {
    const answer = await of.query({ query, format: "JSONEachRow" });
    return answer.json<Row>();
  };
  try {
    const askedAtMs = now();
    const [row] = await ask<{ version: string; clock: string }>(
      client,
      "SELECT version() AS version, toString(toUnixTimestamp64Milli(now64(3))) AS clock",
    );
    const answeredAtMs = now();
    const found = await ask(client, `SELECT name FROM system.databases WHERE name = '${database.replaceAll("'", "")}'`);
    const databaseExists = found.length > 0;
    const connection = { query: <Row>(sql: string) => ask<Row>(inDatabase, sql) };
    return {
      version: row?.version ?? "",
      clockMs: Number(row?.clock),
      askedAtMs,
      answeredAtMs,
      databaseExists,
      faults: databaseExists ? await schemaFaults(connection) : [],
      lacking: await lackingPrivileges((sql) => ask(client, sql), address),
      membership: address.cluster === null ? null : await membershipOf(client, database),
    };
  } finally {
    await Promise.all([client.close(), inDatabase.close()]);
  }
}

/** Asks as who only reads: with settings, which a user of `readonly = 1` may not give. @throws Error where it is refused. */
export async function askAsReader({
  url,
  database,
  username,
  password,
}: Omit<ClickhouseAddress, "cluster">): Promise<void> {
  const log = { level: ClickHouseLogLevel.OFF };
  const client = createClient({ url, database, username, password, request_timeout: timeoutMs, log });
  try {
    await client.command({ query: "SELECT 1 FROM usage LIMIT 1", clickhouse_settings: { max_execution_time: 10 } });
  } finally {
    await client.close();
  }
}

async function membershipOf(client: ClickHouseClient, database: string): Promise<Membership> {
  const names = async (query: string) => {
    const answer = await client.query({ query, format: "JSONEachRow" });
    return (await answer.json<{ name: string }>()).map(({ name }) => name);
  };
  const query = async <Row>(sql: string) => (await client.query({ query: sql, format: "JSONEachRow" })).json<Row>();
  return {
    rows: await clusterRows(client),
    macros: await names("SELECT macro AS name FROM system.macros"),
    readonlyTables: await names(
      `SELECT table AS name FROM system.replicas WHERE database = '${database}' AND is_readonly ORDER BY name`,
    ),
    plainTables: await plainTables(client, database),
    readingLags: await readingLags({ query }, database),
  };
}

/** By `CHECK GRANT`, which servers have since 24.11. */
async function lackingPrivileges(
  ask: (sql: string) => Promise<readonly unknown[]>,
  { database, cluster }: ClickhouseAddress,
): Promise<readonly string[] | null> {
  try {
    const lacking: string[] = [];
    for (const privilege of [...privileges, ...(cluster === null ? [] : ["SYSTEM SYNC REPLICA"])]) {
      const [row] = (await ask(`CHECK GRANT ${privilege} ON ${database}.*`)) as readonly Record<string, unknown>[];
      if (Number(Object.values(row ?? {})[0]) === 0) lacking.push(privilege);
    }
    return lacking;
  } catch {
    return null;
  }
}
