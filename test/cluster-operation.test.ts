/** Looking after a cluster: what is there, how far it is behind, and what is wrong with it. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { topicFaults } from "../src/event-log/topic-faults.ts";
import { type Burnwatch, burnwatch } from "./support/burnwatch.ts";
import { startCluster, type TestCluster } from "./support/cluster.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

const missing = await kafkaMissing();

interface Lag {
  readonly role: string;
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
  async function lags(role: string): Promise<readonly Lag[]> {
    const { stdout } = await command(["lag", "--json"]);
    return (JSON.parse(stdout) as { lag: readonly Lag[] }).lag.filter((one) => one.role === role);
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
      [`${prefix()}.memory`, 2, 1, 73, []],
      [`${prefix()}.dead-letter`, 1, 1, 720, []],
      [`${prefix()}.probe`, 1, 1, 1, []],
    ]);
    expect(code).toBe(0);
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

describe("a topic", () => {
  const settings = { "retention.ms": "432000000", "cleanup.policy": "delete", "max.message.bytes": "1000" };
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
    expect(told({ "cleanup.policy": "compact" })).toEqual(["cleanup.policy is compact, expected delete"]);
    expect(told({}, [1, 2])).toEqual(["copies of partition 0 are not in sync"]);
  });
});
