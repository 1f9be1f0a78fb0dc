/** Entries that cannot be read, in a cluster over a real broker: put aside once, listed, put back once; the rest goes on. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deadLetterMessages } from "../src/event-log/dead-letter.ts";
import type { KafkaClient } from "../src/event-log/kafka-client.ts";
import { kafkajsClient } from "../src/event-log/kafkajs-client.ts";
import { encodeSpansEntry } from "../src/ingest/spans-codec.ts";
import { encodeUsageEntry } from "../src/ingest/usage-codec.ts";
import { sampleRecords } from "../src/store/sample-records.ts";
import { type Burnwatch, burnwatch } from "./support/burnwatch.ts";
import { startCluster, type TestCluster } from "./support/cluster.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

const missing = await kafkaMissing();

interface Letter {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly reason: string;
  readonly replayed_at: string | null;
}

describe.skipIf(missing !== undefined)("entries that cannot be read", () => {
  let cluster: TestCluster;
  let client: KafkaClient;
  let workers: Burnwatch;
  let collector: Burnwatch;
  let sent = 0;
  const topic = (name: string) => `${cluster.environment["BURNWATCH_KAFKA_PREFIX"]}.${name}`;
  beforeAll(async () => {
    cluster = await startCluster({ partitions: 2 });
    client = kafkajsClient({ brokers: [cluster.environment["BURNWATCH_KAFKA_BROKERS"] ?? ""], clientId: "test" });
    [collector, workers] = [await cluster.start("collector"), await cluster.start("resolver,writer,detector")];
  }, 120_000);
  afterAll(async () => {
    await client?.close();
    await cluster?.stop();
  });

  async function append(...messages: readonly { topic: string; partition: number; value: Uint8Array }[]) {
    const producer = await client.producer();
    await producer.send(messages);
    await producer.close();
  }
  async function sendAndSettle() {
    for (let request = 0; request < 4; request++) {
      const { body, sent: spans } = exportRequest(25, Date.now());
      await postUntilAcked(collector.tracesUrl, body);
      sent += spans.length;
    }
    await cluster.settle(60_000);
  }
  async function calls(where = "1"): Promise<number> {
    const query = `SELECT toString(sum(calls)) AS calls FROM usage WHERE ${where}`;
    const [row] = await cluster.store.query<{ calls: string }>(query);
    return Number(row?.calls);
  }
  const command = (...words: string[]) => burnwatch(["dead-letter", ...words], cluster.environment);
  async function letters(): Promise<readonly Letter[]> {
    const { stdout, stderr } = await command("--json");
    expect(stderr).toBe("");
    return (JSON.parse(stdout) as { letters: Letter[] }).letters;
  }

  it("are put aside with place and reason, once, through a kill, and what stands around them is stored", {
    timeout: 120_000,
  }, async () => {
    const whole = encodeUsageEntry({
      arrivedAtMs: Date.now(),
      records: [...sampleRecords({ count: 3, startMs: Date.now(), spanMs: 1 })],
    });
    await append(
      { topic: topic("spans"), partition: 0, value: Buffer.from("not an entry") },
      { topic: topic("usage"), partition: 1, value: whole.subarray(0, whole.length - 1) },
    );
    await sendAndSettle();
    expect(await calls()).toBe(sent);
    await workers.kill();
    await workers.start();
    await sendAndSettle();
    expect(await calls()).toBe(sent);
    const found = (await letters()).map(({ topic: of, partition, reason }) => `${of}/${partition}: ${reason}`).sort();
    expect(found).toEqual([
      `${topic("spans")}/0: spans log: a corrupt entry of 12 bytes: it begins with 110 instead of a version`,
      expect.stringMatching(/usage\/1: usage log: a corrupt entry of \d+ bytes: a text reaches beyond its end$/),
    ]);
    expect(workers.output()).toContain("an entry was put aside: see burnwatch dead-letter");
    expect(workers.output()).not.toContain("a partition stopped");
  });

  it("are counted in /metrics", async () => {
    await append({ topic: topic("spans"), partition: 1, value: Buffer.from("nor this") });
    const counted = `burnwatch_dead_letters_total{topic="${topic("spans")}"} 1`;
    await expect
      .poll(async () => (await fetch(`${workers.apiUrl}/metrics`)).text(), { timeout: 10_000 })
      .toContain(counted);
  });

  it("are put back where they stood once they can be read, each once", { timeout: 120_000 }, async () => {
    const arrivedAtMs = Date.now();
    const spans = [
      {
        traceId: "0af7651916cd43dd8448eb211c80319c",
        spanId: "b7ad6b7169203331",
        parentSpanId: "",
        name: "chat gpt-4o",
        scope: "",
        startUs: arrivedAtMs * 1000,
        endUs: arrivedAtMs * 1000 + 5,
        status: "ok" as const,
        attributes: {
          "gen_ai.operation.name": "chat",
          "gen_ai.provider.name": "openai",
          "gen_ai.request.model": "gpt-4o",
          "gen_ai.usage.input_tokens": 10,
          "gen_ai.usage.output_tokens": 5,
          "burnwatch.tenant": "mended",
        },
        resource: { "service.name": "shop" },
      },
    ];
    const records = [...sampleRecords({ count: 7, startMs: arrivedAtMs, spanMs: 1 })].map((record) => ({
      ...record,
      tenant: "mended usage",
    }));
    // As of an older version whose reader was at fault.
    const about = { offset: 5, reason: "fault of an older version", parkedAtMs: arrivedAtMs };
    await append(
      ...deadLetterMessages(topic("dead-letter"), { topic: topic("spans"), partition: 0 }, [
        { ...about, payload: encodeSpansEntry({ arrivedAtMs, spans }) },
      ]),
      ...deadLetterMessages(topic("dead-letter"), { topic: topic("usage"), partition: 1 }, [
        { ...about, payload: encodeUsageEntry({ arrivedAtMs, records }) },
      ]),
    );
    const mended = (await letters()).filter(({ reason }) => reason === about.reason).map(({ id }) => String(id));
    expect((await command("show", mended[0] ?? "")).stdout).toContain("fault of an older version");
    // Two who try at once: between them each is put back once.
    const both = await Promise.all([command("replay", "--json", ...mended), command("replay", "--json", ...mended)]);
    const done = both.flatMap(({ stdout }) =>
      stdout === "" ? [] : (JSON.parse(stdout) as { replayed: number[] }).replayed,
    );
    expect(done.map(String).sort()).toEqual([...mended].sort());
    expect((await command("replay", ...mended)).stdout).toContain("was put back before");
    await cluster.settle(60_000);
    expect([await calls("tenant = 'mended'"), await calls("tenant = 'mended usage'")]).toEqual([1, 7]);
    const all = await command("replay", "--all");
    expect([all.code, all.stdout.match(/this version cannot read it either/g)?.length]).toEqual([1, 3]);
  });

  it("are waited for where another version wrote them: one line, nothing put aside, other partitions go on", {
    timeout: 60_000,
  }, async () => {
    const before = (await letters()).length;
    const newer = encodeSpansEntry({ arrivedAtMs: Date.now(), spans: [] });
    newer[0] = (newer[0] ?? 0) + 1;
    await append({ topic: topic("spans"), partition: 0, value: newer });
    const said = () => workers.output().match(/a partition waits for another version of Burnwatch/g)?.length ?? 0;
    await expect.poll(said, { timeout: 10_000 }).toBe(1);
    expect(workers.output()).toContain(`spans log: entry of version ${newer[0]}, this Burnwatch reads version`);
    const stored = await calls();
    for (let request = 0; request < 4; request++) {
      const { body } = exportRequest(25, Date.now());
      await postUntilAcked(collector.tracesUrl, body);
    }
    await expect.poll(() => calls(), { timeout: 20_000 }).toBeGreaterThan(stored);
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    expect(said()).toBe(1);
    expect((await letters()).length).toBe(before);
  });
});
