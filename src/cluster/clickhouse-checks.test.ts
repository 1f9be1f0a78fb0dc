import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ClickhouseTestServer, startClickhouseServer } from "../../test/support/clickhouse-server.ts";
import { readConfig } from "../config.ts";
import { runCommand } from "../console/commands.ts";
import { openShardedStore } from "../store/sharded.ts";
import { checkClickhouse, versionCheck } from "./clickhouse-checks.ts";
import { clusterCommands } from "./commands.ts";

const nobody = "http://127.0.0.1:1";
let directory: string;
let server: ClickhouseTestServer;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "burnwatch-checks-"));
  const file = join(directory, "config.xml");
  // A server that is the first of two shards, and the only one of another cluster.
  writeFileSync(
    file,
    `<clickhouse><tcp_port>9000</tcp_port><macros><shard>1</shard></macros><remote_servers>
    <pair>
      <shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
      <shard><replica><host>127.0.0.1</host><port>9009</port></replica></shard>
    </pair>
    <single><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></single>
  </remote_servers></clickhouse>`,
  );
  server = await startClickhouseServer(file);
}, 60_000);
afterAll(async () => {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function environment(shards: string, more: Readonly<Record<string, string>> = {}) {
  return {
    BURNWATCH_KAFKA_BROKERS: "127.0.0.1:9092",
    BURNWATCH_CLICKHOUSE_SHARDS: shards,
    BURNWATCH_CLICKHOUSE_DATABASE: "checked",
    ...more,
  };
}

async function checks(shards: string, more?: Readonly<Record<string, string>>): Promise<string> {
  const found = await checkClickhouse(readConfig(undefined, environment(shards, more)));
  return found.map(({ name, status, detail, advice }) => `${status} ${name}: ${detail} -> ${advice}`).join("\n");
}

async function command(words: readonly string[], env: Readonly<Record<string, string>>) {
  let output = "";
  const stream = { write: (text: string | Uint8Array) => (output += String(text)) };
  const io = { stdout: stream, stderr: stream, stdin: process.stdin, env, signal: new AbortController().signal };
  return { code: await runCommand(clusterCommands, words, io), output };
}

it("makes the tables of those shards that answer, and says of each server what it has", {
  timeout: 60_000,
}, async () => {
  const before = await checks(`${server.url},${nobody}`);
  expect(before).toContain(`fail tables of shard 1 (${server.url}): there is no database checked -> start a writer`);
  const made = await command(["migrate"], environment(`${server.url},${nobody}`));
  expect(made).toEqual({ code: 0, output: expect.stringMatching(/^Done: usage_records, .*prompt_hash\.\n$/) });
  const again = await command(["migrate"], environment(`${server.url},${nobody}`));
  expect(again).toEqual({ code: 0, output: "The tables are up to date.\n" });
  const after = await checks(`${server.url},${nobody}`);
  expect(after).toContain(`ok clickhouse of shard 1: ${server.url} 26.`);
  expect(after).toContain(`ok tables of shard 1 (${server.url}): of checked are as they should be`);
  expect(after).toContain(`ok clock of ClickHouse of shard 1 (${server.url}): goes with this machine's`);
  expect(after).toMatch(new RegExp(`fail clickhouse of shard 2 \\(${nobody}\\): .* -> correct clickhouse.shards`));
  const none = await command(["migrate"], environment(nobody));
  expect(none).toEqual({ code: 1, output: expect.stringContaining("no shard of ClickHouse answers") });
});

it("says what is wrong with the name of a cluster, with its shards and with their order", async () => {
  const named = (cluster: string) => ({ BURNWATCH_CLICKHOUSE_CLUSTER: cluster });
  expect(await checks(server.url, named("pear"))).toContain(
    `ClickHouse at ${server.url} knows no cluster "pear" (it knows pair, single): correct clickhouse.cluster, or define it under remote_servers on every server`,
  );
  expect(await checks(server.url, named("pair"))).toContain(
    'cluster "pair" of ClickHouse at ' +
      `${server.url} has 2 shards, and clickhouse.shards has 1: name each shard once`,
  );
  expect(await checks(`${nobody},${server.url}`, named("pair"))).toContain(
    `ClickHouse at ${server.url} is shard 1 of cluster "pair", and clickhouse.shards has it at place 2: put them in the order`,
  );
  const right = await checks(`${server.url},${nobody}`, named("pair"));
  expect(right).toContain(`ok cluster of shard 1 (${server.url}): place 1 of 2 in pair`);
  expect(right).toContain("no macro replica: replicated tables have no place in Keeper -> set it under macros");
});

it("does not take tables of a single server for those of a cluster", { timeout: 60_000 }, async () => {
  const alone = openShardedStore({ shards: [[server.url]], cluster: null, database: "plain" });
  await alone.migrate();
  await alone.close();
  const cluster = { BURNWATCH_CLICKHOUSE_CLUSTER: "single", BURNWATCH_CLICKHOUSE_DATABASE: "plain" };
  expect(await checks(server.url, cluster)).toContain(
    "usage_records is not replicated, usage_rollup_15m is not replicated, usage_rollup_1d is not replicated -> the tables were made without clickhouse.cluster",
  );
  const replicated = openShardedStore({ shards: [[server.url]], cluster: "single", database: "plain" });
  await expect(replicated.migrate()).rejects.toThrow(
    `shard 1: table plain.usage_records at ${server.url} is not replicated, since it was made without clickhouse.cluster`,
  );
  await replicated.close();
});

it("prints the statements for the names of the configuration", async () => {
  const env = environment(server.url, { BURNWATCH_CLICKHOUSE_CLUSTER: "single", BURNWATCH_RAW_RETENTION_DAYS: "30" });
  const { code, output } = await command(["migrate", "--print"], env);
  expect(code).toBe(0);
  expect(output).toContain("CREATE TABLE IF NOT EXISTS checked.usage_records ON CLUSTER 'single' (");
  expect(output).toContain("TTL toDate(ts) + INTERVAL 30 DAY");
  expect(output).toContain("ENGINE = Distributed('single', 'checked', 'usage_records')");
});

it("refuses keys that contradict each other", async () => {
  const refusal = async (more: Readonly<Record<string, string>>, shards = server.url) =>
    (await command(["migrate"], environment(shards, more))).output;
  expect(await refusal({ BURNWATCH_CLICKHOUSE_URL: nobody })).toContain(
    "clickhouse.url and clickhouse.shards are both set",
  );
  expect(await refusal({}, `${server.url}|${nobody}`)).toContain("name it with clickhouse.cluster");
  expect(await refusal({}, "localhost")).toContain("BURNWATCH_CLICKHOUSE_SHARDS: expected http or https URLs");
  expect(await refusal({}, `${nobody},${nobody}`)).toContain("each server once");
  expect(await refusal({ BURNWATCH_CLICKHOUSE_CLUSTER: "a b" })).toContain(
    "BURNWATCH_CLICKHOUSE_CLUSTER: expected a name",
  );
});

it("warns of a server that is older than what the tests run with", () => {
  const versions = ["26.7.2.1", "27.1.1.1", "26.3.9.8", "25.8.1.1"];
  const statuses = versions.map(
    (version) => versionCheck({ url: "http://127.0.0.1:8123", shard: null }, version).status,
  );
  expect(statuses).toEqual(["ok", "ok", "warn", "warn"]);
});
