/** The life of a span through a cluster: three kinds of processes, a real broker with several partitions, ClickHouse over HTTP. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { burnwatch } from "./support/burnwatch.ts";
import { startCluster, type TestCluster } from "./support/cluster.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { exportRequest, postUntilAcked, type SentSpan } from "./support/load.ts";

const missing = await kafkaMissing();
const partitions = 3;
const requests = 30;
const spansPerRequest = 50;

describe.skipIf(missing !== undefined)("a cluster over a real broker", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startCluster({ partitions });
  }, 120_000);
  afterAll(() => cluster?.stop());

  it("stores every acknowledged call once, over several partitions, through a hand-over of resolver and writer", {
    timeout: 180_000,
  }, async () => {
    const collector = await cluster.start("collector");
    const first = await cluster.start("resolver,writer");
    const sent: SentSpan[] = [];
    const send = async (count: number) => {
      for (let request = 0; request < count; request++) {
        const { body, sent: spans } = exportRequest(spansPerRequest, Date.now() - request * 1000);
        await postUntilAcked(collector.tracesUrl, body);
        // As after a lost acknowledgement.
        if (request % 3 === 0) await postUntilAcked(collector.tracesUrl, body);
        sent.push(...spans);
      }
    };
    await send(requests / 2);
    await cluster.settle(60_000);
    // Half of the partitions move to others, which must know what the former owners knew.
    const [resolver, writer] = [await cluster.start("resolver"), await cluster.start("writer")];
    await send(requests / 2);
    await first.kill();
    await cluster.settle(90_000);
    const rows = await cluster.store.query<{ identity: string; nano_usd: string }>(
      "SELECT concat(trace_id, ' ', span_id) AS identity, toString(toInt64(cost_usd * 1000000000)) AS nano_usd FROM usage",
    );
    const asText = (of: readonly (readonly unknown[])[]) => of.map((row) => row.join(" ")).sort();
    expect(asText(rows.map(({ identity, nano_usd }) => [identity, nano_usd]))).toEqual(
      asText(sent.map(({ traceId, spanId, nanoUsd }) => [traceId, spanId, nanoUsd])),
    );
    const total = "toString(sum(calls)) AS calls, toString(sum(cost_usd)) AS cost";
    const [base, rollup] = await Promise.all(
      ["usage", "usage_by_15m"].map((table) =>
        cluster.store.query(`SELECT feature, ${total} FROM ${table} GROUP BY feature ORDER BY feature`),
      ),
    );
    expect(rollup).toEqual(base);
    const batches = await cluster.store.query<{ partition: string }>(
      "SELECT DISTINCT splitByChar('-', splitByChar('.', batch)[2])[1] AS partition FROM usage_records ORDER BY partition",
    );
    expect(batches.map(({ partition }) => partition)).toEqual(["0", "1", "2"]);
    expect([await resolver.stop(), await writer.stop(), await collector.stop()]).toEqual([0, 0, 0]);
  });

  it("says what is missing to run a part of a cluster", async () => {
    const brokers = { BURNWATCH_KAFKA_BROKERS: cluster.environment["BURNWATCH_KAFKA_BROKERS"] ?? "" };
    const said = async (words: readonly string[], environment: Record<string, string>) =>
      (await burnwatch(["serve", ...words], environment)).stderr;
    expect(await said(["--role", "collector"], {})).toContain("the parts of a cluster need kafka.brokers");
    expect(await said([], brokers)).toContain(
      "say which parts with --role (collector, resolver, writer, detector, alerter, api)",
    );
    expect(await said(["--role", "writer"], brokers)).toContain("need clickhouse.url");
    expect(await said(["--role", "api,budgets"], brokers)).toContain("budgets are not part of Burnwatch yet");
    expect(await said(["--role", "baker"], brokers)).toContain('got "baker"');
  });
});
