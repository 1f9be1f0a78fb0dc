/** Looking after a cluster: what is there, how far it is behind, and what is wrong with it. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import kafkajs from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { placesCheck, versionCheck, versionsCheck } from "../src/cluster/checks.ts";
import { keptMsMost, topicFaults } from "../src/event-log/topic-faults.ts";
import { openRemoteStore } from "../src/store/remote.ts";
import { type Burnwatch, burnwatch, startBurnwatch } from "./support/burnwatch.ts";
import { startCluster, type TestCluster } from "./support/cluster.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

const missing = await kafkaMissing();

interface Lag {
  readonly part: string;
  readonly partition: number;
  readonly records: number;
  readonly seconds: number;
}

describe.skipIf(missing !== undefined)("a cluster that is looked after", () => {
  let cluster: TestCluster;
  let collector: Burnwatch;
  const prefix = () => cluster.environment["BURNWATCH_KAFKA_PREFIX"];
  beforeAll(async () => {
    cluster = await startCluster({ partitions: 2 });
    collector = await cluster.start("collector");
  }, 120_000);
  afterAll(() => cluster?.stop());

  const command = (words: readonly string[], more: Record<string, string> = {}) =>
    burnwatch(words, { ...cluster.environment, ...more });
  async function send(requests: number) {
    for (let request = 0; request < requests; request++)
      await postUntilAcked(collector.tracesUrl, exportRequest(20, Date.now()).body);
  }
  async function lags(part: string): Promise<readonly Lag[]> {
    const { stdout } = await command(["lag", "--json"]);
    return (JSON.parse(stdout) as { lag: readonly Lag[] }).lag.filter((one) => one.part === part);
  }

  it("tells how far each part is behind, in records and seconds, and in the metrics of those who work", {
    timeout: 120_000,
  }, async () => {
    await send(6);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const waiting = await lags("resolver");
    expect(waiting.map(({ partition }) => partition)).toEqual([0, 1]);
    expect(waiting.reduce((sum, { records }) => sum + records, 0)).toBeGreaterThanOrEqual(6);
    expect(Math.max(...waiting.map(({ seconds }) => seconds))).toBeGreaterThanOrEqual(2);
    const workers = await cluster.start("resolver,writer");
    await cluster.settle(60_000);
    expect((await lags("resolver")).map(({ records, seconds }) => [records, seconds])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    const shown = (await command(["lag"])).stdout;
    expect(shown).toMatch(new RegExp(`resolver +${prefix()}\\.spans +0 +\\d+ +\\d+ +0 +0`));
    const metrics = await (await fetch(`${workers.apiUrl}/metrics`)).text();
    for (const partition of [0, 1])
      expect(metrics).toMatch(
        new RegExp(
          `burnwatch_lag_records\\{group="${prefix()}.resolver",topic="${prefix()}.spans",partition="${partition}"\\} 0`,
        ),
      );
    expect(await workers.stop()).toBe(0);
  });

  it("shows its topics, and that all is well with them", async () => {
    const { stdout, code } = await command(["topics", "--json"]);
    const { topics } = JSON.parse(stdout) as { topics: readonly Record<string, unknown>[] };
    expect(
      topics.map((one) => [one["topic"], one["partitions"], one["replicas"], one["kept_hours"], one["faults"]]),
    ).toEqual([
      [`${prefix()}.spans`, 2, 1, 72, []],
      [`${prefix()}.usage`, 2, 1, 120, []],
      [`${prefix()}.memory`, 2, 1, 75, []],
      [`${prefix()}.dead-letter`, 1, 1, 720, []],
      [`${prefix()}.probe`, 1, 1, 1, []],
      [`${prefix()}.deltas`, 1, 1, 120, []],
      [`${prefix()}.claims`, 1, 1, 120, []],
      [`${prefix()}.metrics`, 2, 1, 72, []],
      [`${prefix()}.reprices`, 1, 1, 120, []],
      [`${prefix()}.numbers`, 1, 1, 120, []],
      [`${prefix()}.snapshots`, 2, 1, 120, []],
    ]);
    expect(code).toBe(0);
    const bytes = new Map(topics.map((one) => [one["topic"], Number(one["bytes"])]));
    expect(bytes.get(`${prefix()}.spans`)).toBeGreaterThan(1000);
    expect(bytes.get(`${prefix()}.claims`)).toBe(0);
    expect((await command(["topics"])).stdout).toMatch(new RegExp(`${prefix()}\\.usage +2 +1 +1 +5 d`));
  });

  it("says what is wrong with a topic and what to do about it", async () => {
    const { code, stdout } = await command(["topics"], {
      BURNWATCH_KAFKA_PARTITIONS: "6",
      BURNWATCH_KAFKA_REPLICAS: "2",
    });
    expect(code).toBe(1);
    expect(stdout).toContain(
      `fail  ${prefix()}.spans: has 2 partitions, expected 6\n      -> set kafka.partitions to 2`,
    );
    expect(stdout).toContain(`warn  ${prefix()}.spans: has 1 copies, expected 2`);
    const other = await command(["topics"], { BURNWATCH_KAFKA_PREFIX: "nobody" });
    expect(other.stdout).toContain("fail  nobody.spans: is missing");
  });

  it("migrates once, however many writers begin at the same time", { timeout: 120_000 }, async () => {
    const database = { BURNWATCH_CLICKHOUSE_DATABASE: "raced" };
    const options = { words: ["--role", "writer"], environment: { ...cluster.environment, ...database } };
    const writers = await Promise.all([1, 2, 3].map(() => startBurnwatch(options)));
    const store = await openRemoteStore({
      url: cluster.environment["BURNWATCH_CLICKHOUSE_URL"] ?? "",
      database: "raced",
    });
    const rows = await store.query<{ version: number }>("SELECT version FROM schema_migrations ORDER BY version");
    await store.close();
    expect(rows.map(({ version }) => version)).toEqual(Array.from(rows, (_, index) => index + 1));
    expect(rows.length).toBeGreaterThanOrEqual(10);
    expect(writers.filter((writer) => writer.output().includes("schema is up to date"))).toHaveLength(1);
    expect(await Promise.all(writers.map((writer) => writer.stop()))).toEqual([0, 0, 0]);
    for (const writer of writers) await writer.remove();
  });

  it("is well where all is as it should be, and says what to do where it is not", { timeout: 120_000 }, async () => {
    const workers = await cluster.start("resolver,writer");
    const well = await command(["doctor"]);
    for (const line of ["brokers: 1 answer", "topics: 11, as they should be", "permissions: this user may append"])
      expect(well.stdout).toContain(`ok    ${line}`);
    expect(well.stdout).toContain(
      "ok    places: brokers know for 7.0 days where an absent group is, and topics are kept for at most 5.0 days",
    );
    expect(well.stdout).toContain("ok    transactions: a record and a group's place, committed and read");
    expect(well.stdout).toMatch(/ok {4}versions: parts of version \d+\.\d+\.\d+ are at work/);
    expect(well.stdout).toContain("ok    kafka version: ends transactions by version 5 of that request");
    expect(well.stdout).toContain("ok    clock of the broker: goes with this machine's");
    expect(well.stdout).toContain("ok    clock of ClickHouse: goes with this machine's");
    expect(well.stdout).toContain("ok    resolver: 1 at work");
    expect(well.stdout).toContain("ok    writer: 1 at work");
    expect(well.stdout).toContain("ok    tables: of cluster are as they should be");
    expect(well.code).toBe(0);
    await workers.stop();

    const idle = await command(["doctor"], {
      BURNWATCH_KAFKA_CLUSTER_ID: "another",
      BURNWATCH_KAFKA_PARTITIONS: "3",
      BURNWATCH_CLICKHOUSE_DATABASE: "nothing",
    });
    expect(idle.code).toBe(1);
    expect(idle.stdout).toMatch(
      /fail {2}cluster id: the brokers are of \S+, expected another\n {6}-> correct kafka\.brokers/,
    );
    expect(idle.stdout).toContain(`fail  topic ${prefix()}.spans: has 2 partitions, expected 3\n      -> `);
    expect(idle.stdout).toMatch(/warn {2}writer: 0 at work.*\n {6}-> start one: burnwatch serve --role writer/);
    expect(idle.stdout).toContain("fail  tables: there is no database nothing\n      -> start a writer");
    const away = await command(["doctor"], {
      BURNWATCH_KAFKA_BROKERS: "127.0.0.1:1",
      BURNWATCH_CLICKHOUSE_URL: "http://127.0.0.1:1",
    });
    expect(away.stdout).toMatch(/fail {2}brokers: cannot .*\n {6}-> correct kafka\.brokers \(127\.0\.0\.1:1\)/);
    expect(away.stdout).toMatch(/fail {2}clickhouse: .*\n {6}-> correct clickhouse\.url/);
  });

  it("stores nothing twice where the brokers have forgotten how far a writer was, and goes on once what is stored is gone", {
    timeout: 180_000,
  }, async () => {
    await send(4);
    const first = await cluster.start("resolver,writer");
    await cluster.settle(60_000);
    await first.stop();
    const calls = async () => (await cluster.store.query("SELECT toString(sum(calls)) AS calls FROM usage"))[0];
    const before = await calls();
    const [group, topic] = [`${prefix()}.writer`, `${prefix()}.usage`];
    const admin = new kafkajs.Kafka({
      brokers: (cluster.environment["BURNWATCH_KAFKA_BROKERS"] ?? "").split(","),
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin();
    await admin.connect();
    const forgotten = () =>
      admin.deleteGroups([group]).then(
        () => true,
        () => false,
      );
    await expect.poll(forgotten, { timeout: 30_000 }).toBe(true);
    const writer = await cluster.start("writer");
    const refusals = () =>
      [...writer.output().matchAll(/usage\/(\d) was, and what is in there is stored already, up to offset (\d+)/g)].map(
        ([, partition, offset]) => ({ partition: Number(partition), offset: offset ?? "" }),
      );
    await expect.poll(() => refusals().length, { timeout: 60_000 }).toBe(2);
    expect(await calls()).toEqual(before);
    await admin.deleteTopicRecords({ topic, partitions: refusals() });
    await admin.disconnect();
    await send(1);
    const resolver = await cluster.start("resolver");
    await cluster.settle(60_000);
    expect(await calls()).toEqual({ calls: String(Number((before as { calls: string }).calls) + 20) });
    expect([await writer.stop(), await resolver.stop()]).toEqual([0, 0]);
  });

  it("works with one cluster of brokers: another one stops it with a line", { timeout: 60_000 }, async () => {
    const words = ["serve", "--role", "collector", "--data", collector.directory];
    await collector.stop();
    const other = await command(words, { BURNWATCH_KAFKA_CLUSTER_ID: "another" });
    expect([other.code, other.stderr]).toEqual([
      1,
      expect.stringContaining("and kafka.cluster_id says another: correct"),
    ]);
    writeFileSync(join(collector.directory, "kafka-cluster-id"), "former\n");
    const named = await command(words, { BURNWATCH_KAFKA_CLUSTER_ID: await cluster.client.clusterId() });
    expect([named.code, named.stderr]).toEqual([1, expect.stringContaining("has worked with former")]);
    const moved = await command(words);
    expect([moved.code, moved.stderr]).toEqual([
      1,
      expect.stringContaining("has worked with former: correct kafka.brokers"),
    ]);
  });

  it("says in one line that no broker answers, and that a command is for a cluster", { timeout: 60_000 }, async () => {
    const away = await command(["lag"], { BURNWATCH_KAFKA_BROKERS: "127.0.0.1:1" });
    expect([away.code, away.stderr]).toEqual([
      1,
      expect.stringMatching(/^burnwatch lag: cannot .*127\.0\.0\.1:1.*\n {2}\S.*\n$/),
    ]);
    const alone = await burnwatch(["topics"]);
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining("name its brokers with kafka.brokers")]);
  });
});

it("wants brokers of Kafka 4.0, which know version 5 of the request that ends a transaction; 3.9 knows 4", () => {
  expect(versionCheck(5).status).toBe("ok");
  expect(versionCheck(4)).toMatchObject({ status: "fail", advice: expect.stringContaining("Kafka 4.0 or newer") });
});

it("says which versions are at work", () => {
  const at = (version: string) => `burnwatch-${version}-host-1 at 10.0.0.7`;
  expect(versionsCheck([at("0.5.0"), at("0.5.0")])).toMatchObject([{ status: "ok" }]);
  expect(versionsCheck([at("0.5.0"), at("0.6.1")])).toMatchObject([
    { status: "warn", detail: expect.stringContaining("version 0.5.0 and 0.6.1 are at work") },
  ]);
  expect(versionsCheck([])).toEqual([]);
});

describe("places of groups", () => {
  const day = 86_400_000;
  it("must be known for longer than the logs are kept, with the segment that goes whole", () => {
    const kept = keptMsMost([
      { "retention.ms": "432000000", "segment.ms": "3600000" },
      { "retention.ms": "3600000", "segment.ms": "3600000" },
    ]);
    expect(kept).toBe(5 * day + 3_600_000);
    expect(placesCheck(7 * day, kept).status).toBe("ok");
    const forgetful = placesCheck(day, kept);
    expect([forgetful.status, forgetful.detail]).toEqual([
      "fail",
      expect.stringContaining("read again from its start"),
    ]);
    expect(forgetful.advice).toContain("set offsets.retention.minutes above 7260");
    expect(placesCheck(7 * day, keptMsMost([{ "retention.ms": "-1", "segment.ms": "3600000" }])).status).toBe("fail");
  });
});

describe("a topic", () => {
  const settings = {
    "retention.ms": "432000000",
    "segment.ms": "3600000",
    "cleanup.policy": "delete",
    "max.message.bytes": "1000",
  };
  const spec = { topic: "burnwatch.usage", partitions: 1, replicas: 3, settings };
  const state = (more: Record<string, string>, inSync = [1, 2, 3]) => ({
    topic: "burnwatch.usage",
    partitions: [{ partition: 0, leader: 1, replicas: [1, 2, 3], inSync }],
    settings: { ...settings, ...more },
  });
  const told = (...of: Parameters<typeof state>) => topicFaults(spec, state(...of)).map(({ fault }) => fault);

  it("has no faults where its settings are as they should be, or more than they must be", () => {
    expect(told({ "max.message.bytes": "2000" })).toEqual([]);
  });

  it("is kept too briefly or too long, compacted, or of copies that are behind", () => {
    expect(told({ "retention.ms": "3600000" })).toEqual(["retention.ms is 3600000, expected 432000000"]);
    expect(told({ "retention.ms": "-1" })[0]).toContain("brokers forget an absent group's place after seven days");
    expect(told({ "segment.ms": "60000" })).toEqual([]);
    expect(told({ "segment.ms": "604800000" })[0]).toContain(
      "segment.ms is 604800000, expected 3600000 (brokers forget",
    );
    expect(told({ "cleanup.policy": "compact" })).toEqual(["cleanup.policy is compact, expected delete"]);
    expect(told({}, [1, 2])).toEqual(["copies of partition 0 are not in sync"]);
  });
});
