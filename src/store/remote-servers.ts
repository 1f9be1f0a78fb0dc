/** ClickHouse servers as the configuration names them, and who comes to them. */

import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import type { ColdStorage } from "./schema.ts";
import { StoreRefusal } from "./store.ts";

export interface RemoteStoreOptions {
  /** `http://host:8123`, without credentials. */
  readonly url: string;
  /** Other replicas of the same tables, for when that one does not answer. */
  readonly otherUrls?: readonly string[];
  /** The ClickHouse cluster whose replicated tables these are; by default plain tables of one server. */
  readonly cluster?: string;
  readonly coldStorage?: ColdStorage;
  readonly database?: string;
  readonly username?: string;
  readonly password?: string;
  /**
   * Who asks what people and reports ask; without it the same as who writes. It must see every row, and may be
   * `readonly = 2`: settings come with each question.
   */
  readonly reader?: { readonly username: string; readonly password: string };
  /**
   * `write` makes the database where it is missing, and is the default. `read` knows only who asks, if there is one: what
   * would change anything is refused by the server.
   */
  readonly access?: "write" | "read";
  readonly rawRetentionDays?: number;
  readonly rollupRetentionMonths?: number;
  readonly connectionsMax?: number;
  readonly requestTimeoutMs?: number;
}

/** The connections of one server. */
export interface ServerClients {
  readonly url: string;
  readonly client: ClickHouseClient;
  /** The same where nobody else reads. */
  readonly reader: ClickHouseClient;
}

/** Who comes for everything but questions; who only reads comes as who asks. */
export function writerOf({ username = "default", password = "", access, reader }: RemoteStoreOptions) {
  return access === "read" && reader !== undefined ? reader : { username, password };
}

/** @throws Error for a name that would need quotes. */
export function databaseOf({ database = "burnwatch" }: RemoteStoreOptions): string {
  if (!/^\w+$/.test(database)) throw new Error(`clickhouse.database: "${database}" is not a plain name`);
  return database;
}

/** Opens connections of a user to a server, in a database or in none. */
export function connector(options: RemoteStoreOptions) {
  return (url: string, user: { readonly username: string; readonly password: string }, name: string | null) =>
    createClient({
      url,
      ...user,
      max_open_connections: options.connectionsMax ?? 10,
      request_timeout: options.requestTimeoutMs ?? 120_000,
      // Inserts are compressed here; questions and answers are small.
      compression: { request: false, response: false },
      application: "burnwatch",
      log: { level: ClickHouseLogLevel.OFF },
      ...(name === null ? {} : { database: name }),
    });
}

/** The keys of who writes, and of who asks questions. */
export const writerKeys = "clickhouse.user and clickhouse.password";
export const readerKeys = "clickhouse.read_user and clickhouse.read_password";

/** A line with what the server said; of credentials, which keys to look at. */
export function refused(url: string, keys: string, cause: unknown): Error {
  const message = cause instanceof Error ? cause.message.split("\n")[0]?.trim() : String(cause);
  const line = `connect to ClickHouse at ${url}: ${message}`;
  if (!(cause instanceof ClickHouseError && refusalCodes.has(cause.code))) return new Error(line, { cause });
  return new StoreRefusal(`${line}; correct ${keys}, or renew what has expired`, { cause });
}

/** The same for what was asked over a connection that had been taken before; other errors as they are. */
export function refusedSince(url: string, keys: string, cause: unknown): unknown {
  const isRefusal = cause instanceof ClickHouseError && refusalCodes.has(cause.code) && cause.code !== accessDenied;
  return isRefusal ? refused(url, keys, cause) : cause;
}

/** Of a right, which a question may lack that is put by whoever is known. */
const accessDenied = "497";
/** REQUIRED_PASSWORD, UNKNOWN_USER, WRONG_PASSWORD, ACCESS_DENIED, AUTHENTICATION_FAILED. */
const refusalCodes: ReadonlySet<string> = new Set(["192", "193", "194", accessDenied, "516"]);
