/** What `burnwatch doctor` asks a ClickHouse server: nothing is made or changed. */

import { ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { schemaFaults } from "./migrations.ts";

export interface ClickhouseAddress {
  readonly url: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
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
      lacking: await lackingPrivileges((sql) => ask(client, sql), database),
    };
  } finally {
    await Promise.all([client.close(), inDatabase.close()]);
  }
}

/** Asks as who only reads: with settings, which a user of `readonly = 1` may not give. @throws Error where it is refused. */
export async function askAsReader({ url, database, username, password }: ClickhouseAddress): Promise<void> {
  const log = { level: ClickHouseLogLevel.OFF };
  const client = createClient({ url, database, username, password, request_timeout: timeoutMs, log });
  try {
    await client.command({ query: "SELECT 1 FROM usage LIMIT 1", clickhouse_settings: { max_execution_time: 10 } });
  } finally {
    await client.close();
  }
}

/** By `CHECK GRANT`, which servers have since 24.11. */
async function lackingPrivileges(
  ask: (sql: string) => Promise<readonly unknown[]>,
  database: string,
): Promise<readonly string[] | null> {
  try {
    const lacking: string[] = [];
    for (const privilege of privileges) {
      const [row] = (await ask(`CHECK GRANT ${privilege} ON ${database}.*`)) as readonly Record<string, unknown>[];
      if (Number(Object.values(row ?? {})[0]) === 0) lacking.push(privilege);
    }
    return lacking;
  } catch {
    return null;
  }
}
