/**
 * A broker that falls silent without closing its connections, as behind a firewall that forgot them: whoever shares a
 * connection is answered again over a new one, also where the next question always comes before the last was given up.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KafkaClient } from "../src/event-log/kafka-client.ts";
import { kafkajsClient } from "../src/event-log/kafkajs-client.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { startBrokers, type TestBrokers } from "./support/kafka-brokers.ts";

const missing = await kafkaMissing();
/** Closer together than a silent connection takes to be noticed. */
const askedEveryMs = 4000;
/** What that takes, and a new connection, on a busy machine. */
const answeredWithinMs = 45_000;

describe.skipIf(missing !== undefined)("a broker that falls silent", () => {
  let brokers: TestBrokers;
  let client: KafkaClient;
  beforeAll(async () => {
    brokers = await startBrokers(1);
    client = kafkajsClient({ brokers: brokers.addresses, clientId: "burnwatch-test" });
    await client.createTopics([{ topic: "spans", partitions: 2, replicas: 1, settings: {} }]);
  }, 120_000);
  afterAll(async () => {
    await client?.close();
    await brokers?.stop();
  });

  it("is asked over a new connection by all who share one", { timeout: 120_000 }, async () => {
    await client.committed("group", "spans");
    expect(brokers.proxies[0]?.silence()).toBeGreaterThan(0);
    const silentAt = performance.now();
    const asks: Promise<unknown>[] = [];
    let answered = false;
    while (!answered && performance.now() - silentAt < answeredWithinMs) {
      const ask = client.committed("group", "spans").then(
        () => {
          answered = true;
        },
        () => undefined,
      );
      asks.push(ask);
      await Promise.race([ask, new Promise((done) => setTimeout(done, askedEveryMs))]);
    }
    expect(answered).toBe(true);
    await Promise.all(asks);
  });
});
