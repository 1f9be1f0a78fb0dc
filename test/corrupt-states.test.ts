/**
 * What nobody can read between the detectors of a cluster, over a real broker: sums and claims are put aside, snapshots that are
 * gone are made again, and incidents go on being told.
 */

import { createServer } from "node:http";
import kafkajs from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Burnwatch, burnwatch, freePort } from "./support/burnwatch.ts";
import { startCluster, type TestCluster } from "./support/cluster.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { postUntilAcked } from "./support/load.ts";
import { minuteOfCalls } from "./support/shop-calls.ts";

interface Posted {
  readonly status: string;
  readonly labels: Readonly<Record<string, string>>;
}

const missing = await kafkaMissing();
const partitions = 2;
const [minuteMs, calmMinutes] = [60_000, 30];
const features = ["chat", "search", "summary", "draft"];

describe.skipIf(missing !== undefined)("what nobody can read between detectors", () => {
  const posted: Posted[] = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    posted.push(...(JSON.parse(body) as { alerts: Posted[] }).alerts);
    response.end();
  });
  let cluster: TestCluster;
  let intake: Burnwatch;
  let watch: Burnwatch;
  beforeAll(async () => {
    const port = await freePort();
    receiver.listen(port, "127.0.0.1");
    cluster = await startCluster({ partitions });
    intake = await cluster.start("collector,resolver,writer");
    watch = await cluster.start("detector,alerter", { BURNWATCH_WEBHOOK: `http://127.0.0.1:${port}/` });
  }, 120_000);
  afterAll(async () => {
    receiver.close();
    await cluster?.stop();
  });

  const fired = (feature: string) =>
    posted.filter(({ labels, status }) => labels["feature"] === feature && status === "firing").length;
  const send = (atMs: number, dear: readonly string[]) => {
    const input = (feature: string) => (dear.includes(feature) ? 400_000 : 2000);
    return postUntilAcked(intake.tracesUrl, minuteOfCalls(atMs, { features, input }));
  };
  async function append(...messages: readonly { topic: string; partition: number; value: Uint8Array }[]) {
    const producer = await cluster.client.producer();
    await producer.send(messages);
    await producer.close();
  }
  async function loseSnapshots() {
    const brokers = [cluster.environment["BURNWATCH_KAFKA_BROKERS"] ?? ""];
    const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: cluster.topics.snapshots,
          configEntries: [{ name: "cleanup.policy", value: "delete" }],
        },
      ],
    });
    const ends = Array.from({ length: partitions }, (_, partition) => ({ partition, offset: "-1" }));
    await admin.deleteTopicRecords({ topic: cluster.topics.snapshots, partitions: ends });
    await admin.disconnect();
  }

  it("is put aside with a reason, in order, and what stands around it is judged", { timeout: 180_000 }, async () => {
    const nowMs = Date.now();
    for (let minute = calmMinutes; minute > 2; minute--) await send(nowMs - minute * minuteMs, []);
    await cluster.judged(90_000);
    const garbage = Buffer.from("not an entry");
    await append(
      { topic: cluster.topics.deltas, partition: 0, value: garbage },
      { topic: cluster.topics.claims, partition: 0, value: garbage },
    );
    await send(nowMs - 2 * minuteMs, ["chat"]);
    await expect.poll(() => fired("chat"), { timeout: 60_000 }).toBe(1);
    const { stdout } = await burnwatch(["dead-letter", "--json"], cluster.environment);
    const { letters } = JSON.parse(stdout) as { letters: { topic: string; reason: string }[] };
    expect(letters.map(({ topic, reason }) => [topic, reason]).sort()).toEqual([
      [cluster.topics.claims, "claims: a corrupt entry of 12 bytes: no JSON"],
      [cluster.topics.deltas, "usage log: a corrupt entry of 12 bytes: it begins with 110 instead of a version"],
    ]);
    expect(watch.output()).not.toContain("a partition stopped");
    const metrics = await (await fetch(`${watch.apiUrl}/metrics`)).text();
    for (const topic of [cluster.topics.claims, cluster.topics.deltas])
      expect(metrics).toContain(`burnwatch_dead_letters_total{topic="${topic}"} 1`);
    const replayed = await burnwatch(["dead-letter", "replay", "--all"], cluster.environment);
    expect([replayed.code, replayed.stdout.match(/this version cannot read it either/g)?.length]).toEqual([1, 2]);
  });

  it("is made again where it was a snapshot: a line says so, incidents go on, what is over is not told again", {
    timeout: 180_000,
  }, async () => {
    await cluster.judged(60_000);
    expect(await watch.stop()).toBe(0);
    await loseSnapshots();
    await watch.start();
    await send(Date.now() - minuteMs, ["search"]);
    await expect.poll(() => fired("search"), { timeout: 90_000 }).toBe(1);
    await cluster.judged(60_000);
    const lost = watch.output().matchAll(/"role":"([\w-]+)","snapshot":"(\w+)","error":"a snapshot of ([^"]+) at/g);
    // Said again by whoever takes a partition over before the first one is saved.
    expect(new Set(Array.from(lost, ([, role, name, place]) => `${role} ${name} ${place?.split("/")[1]}`))).toEqual(
      new Set([
        ...["detector detection 0", "detector detection 1", "detector-wholes detection 0"],
        ...["alerter detection 0", "alerter alerts 0"],
      ]),
    );
    // Still firing when its book was lost: once more, no more.
    expect(fired("chat")).toBeLessThanOrEqual(2);
    expect(watch.output()).not.toContain("a partition stopped");
  });
});
