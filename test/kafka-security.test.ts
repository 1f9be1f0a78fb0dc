/** Brokers that ask who one is: by user and password or by certificate, over connections that are encrypted or not. */

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KafkaSecurity } from "../src/event-log/kafka-client.ts";
import { kafkajsClient } from "../src/event-log/kafkajs-client.ts";
import { burnwatch, startBurnwatch } from "./support/burnwatch.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { type SecuredBroker, securedUser, startSecuredBroker } from "./support/kafka-security.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

const missing = process.env["BURNWATCH_TEST_KAFKA"] === undefined ? await kafkaMissing() : "a broker of one's own";

describe.skipIf(missing !== undefined)("brokers that ask who one is", () => {
  let secured: SecuredBroker;
  beforeAll(async () => {
    secured = await startSecuredBroker();
  }, 120_000);
  afterAll(() => secured?.stop());

  const common = { BURNWATCH_KAFKA_PARTITIONS: "1", BURNWATCH_KAFKA_REPLICAS: "1" };
  const asAlice = { BURNWATCH_KAFKA_USER: securedUser.username, BURNWATCH_KAFKA_PASSWORD: securedUser.password };
  const overTls = () => ({ BURNWATCH_KAFKA_TLS: "on", BURNWATCH_KAFKA_TLS_CA: secured.files.ca });
  async function refusal(brokers: string, environment: Record<string, string>): Promise<string> {
    const words = ["serve", "--role", "collector"];
    const { code, stdout, stderr } = await burnwatch(words, {
      ...common,
      BURNWATCH_KAFKA_BROKERS: brokers,
      ...environment,
    });
    expect(code).not.toBe(0);
    expect(stdout + stderr).not.toContain(securedUser.password);
    expect(stdout + stderr).not.toContain("wrong-password");
    return stderr;
  }

  it.each(["plain", "scram-sha-256", "scram-sha-512"] as const)(
    "take a user by %s, plain and encrypted, in every kind of connection",
    {
      timeout: 60_000,
    },
    async (mechanism) => {
      for (const [brokers, tls] of [
        [secured.sasl, null],
        [secured.saslTls, { ca: readFileSync(secured.files.ca, "utf8") }],
      ] as const) {
        const security: KafkaSecurity = { tls, sasl: { mechanism, ...securedUser } };
        const client = kafkajsClient({ brokers: [brokers], clientId: "test", security });
        const topic = `${mechanism}-${tls === null ? "plain" : "tls"}`;
        await client.createTopics([{ topic, partitions: 1, replicas: 1, settings: {} }]);
        const transactions = await client.transactions(`${topic}.id`);
        const place = { group: `${topic}.group`, topic, partition: 0, offset: 1, metadata: "here" };
        await transactions.commit([{ topic, partition: 0, value: Buffer.from("hello") }], place);
        const reader = await client.reader(topic, 0);
        const { records } = await reader.fetch({ offset: 0, bytesMax: 1000, waitMs: 1000 });
        expect(records.map(({ value }) => Buffer.from(value).toString())).toEqual(["hello"]);
        await expect.poll(async () => (await client.committed(place.group, topic)).get(0)?.metadata).toBe("here");
        await Promise.all([reader.close(), transactions.close()]);
        await client.close();
      }
    },
  );

  it("take a process by its certificate, and by user and password over TLS", { timeout: 60_000 }, async () => {
    const { cert, key } = secured.files;
    for (const [brokers, environment] of [
      [secured.tls, { BURNWATCH_KAFKA_TLS_CERT: cert, BURNWATCH_KAFKA_TLS_KEY: key }],
      [secured.saslTls, { ...asAlice, BURNWATCH_KAFKA_SASL: "scram-sha-512" }],
    ] as const) {
      const collector = await startBurnwatch({
        words: ["--role", "collector"],
        environment: {
          ...common,
          ...overTls(),
          ...environment,
          BURNWATCH_KAFKA_BROKERS: brokers,
          BURNWATCH_LOG_LEVEL: "trace",
        },
      });
      await postUntilAcked(collector.tracesUrl, exportRequest(3, Date.now()).body);
      expect(collector.output()).not.toContain(securedUser.password);
      expect(await collector.stop()).toBe(0);
      await collector.remove();
    }
  });

  it("refuse a wrong password in one line that says what to do", { timeout: 60_000 }, async () => {
    for (const mechanism of ["plain", "scram-sha-256"]) {
      const wrong = { ...asAlice, BURNWATCH_KAFKA_PASSWORD: "wrong-password", BURNWATCH_KAFKA_SASL: mechanism };
      const said = await refusal(secured.sasl, wrong);
      expect(said).toMatch(
        /^burnwatch serve: cannot .*SASL .* failed.*; correct kafka\.sasl, kafka\.user and kafka\.password, or renew what has expired\n$/,
      );
    }
  });

  it("are refused where their certificate is of an authority that is not trusted", { timeout: 60_000 }, async () => {
    const strange = { BURNWATCH_KAFKA_TLS: "on", BURNWATCH_KAFKA_TLS_CA: secured.files.strangeCa };
    const said = await refusal(secured.saslTls, { ...asAlice, ...strange, BURNWATCH_KAFKA_SASL: "plain" });
    expect(said).toMatch(/^burnwatch serve: cannot .*certificate.*; correct kafka\.tls_ca/);
  });

  it("take a member back into its group once its password is right again, which says meanwhile that it has nothing", {
    timeout: 120_000,
  }, async () => {
    const sasl = { mechanism: "scram-sha-256", ...securedUser } as const;
    const client = kafkajsClient({ brokers: [secured.sasl], clientId: "test", security: { tls: null, sasl } });
    await client.createTopics([{ topic: "shared", partitions: 2, replicas: 1, settings: {} }]);
    const shares: (readonly number[])[] = [];
    const outside: string[] = [];
    const membership = await client.join("shared.group", "shared", {
      assigned: (partitions) => shares.push(partitions),
      outside: ({ message }) => outside.push(message),
    });
    await expect.poll(() => shares.at(-1), { timeout: 20_000 }).toEqual([0, 1]);
    await secured.changePassword("another");
    await secured.broker.killAndRestart();
    const line = /group shared\.group: .*SCRAM SHA256 authentication failed.*; correct kafka\.sasl, kafka\.user/;
    await expect.poll(() => outside.at(-1), { timeout: 40_000 }).toMatch(line);
    expect(shares.at(-1)).toEqual([]);
    await secured.changePassword(securedUser.password);
    await expect.poll(() => shares.at(-1), { timeout: 40_000 }).toEqual([0, 1]);
    await membership.leave();
    await client.close();
  });

  it("reject whoever waits for a turn when his password has expired", { timeout: 120_000 }, async () => {
    const sasl = { mechanism: "scram-sha-256", ...securedUser } as const;
    const client = kafkajsClient({ brokers: [secured.sasl], clientId: "test", security: { tls: null, sasl } });
    await client.createTopics([{ topic: "turns", partitions: 1, replicas: 1, settings: {} }]);
    const first = await client.turn("turns.group", "turns");
    const second = client.turn("turns.group", "turns").then(
      () => "has the turn",
      (error: Error) => error.message,
    );
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await secured.changePassword("another");
    await secured.broker.killAndRestart();
    expect(await second).toMatch(/group turns\.group: .*SCRAM SHA256 authentication failed/);
    await secured.changePassword(securedUser.password);
    await first.leave();
    await client.close();
  });

  it("are not asked where the configuration contradicts itself", async () => {
    expect(await refusal(secured.sasl, asAlice)).toContain("kafka.user and kafka.password need kafka.sasl");
    expect(await refusal(secured.tls, { BURNWATCH_KAFKA_TLS_CA: secured.files.ca })).toContain("need kafka.tls: on");
    expect(await refusal(secured.tls, { BURNWATCH_KAFKA_TLS: "on", BURNWATCH_KAFKA_TLS_CA: "/no/such" })).toContain(
      "kafka.tls_ca: cannot read /no/such",
    );
    expect(await refusal(secured.sasl, { BURNWATCH_KAFKA_SASL: "kerberos" })).toContain(
      "expected plain, scram-sha-256",
    );
  });
});
