/** Brokers that allow each user a few things: what is written in deploy/KAFKA-ACLS.md is enough, and what is missing is said. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KafkaClient } from "../src/event-log/kafka-client.ts";
import { createKafkaTopics, topicsOf } from "../src/event-log/kafka-topics.ts";
import { kafkajsClient } from "../src/event-log/kafkajs-client.ts";
import { openRemoteStore } from "../src/store/remote.ts";
import { type Burnwatch, burnwatch, settle, startBurnwatch } from "./support/burnwatch.ts";
import { type ClickhouseTestServer, startClickhouseServer } from "./support/clickhouse-server.ts";
import { type Grant, type GrantingBroker, startGrantingBroker } from "./support/kafka-acls.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

const missing = process.env["BURNWATCH_TEST_KAFKA"] === undefined ? await kafkaMissing() : "a broker of one's own";
const written = grantsIn(readFileSync(new URL("../deploy/KAFKA-ACLS.md", import.meta.url), "utf8"));
const database = "acls";
/** Users who lack one right, by its name. */
const lacking = ["describe", "write", "read", "place", "id", "create", "commit"] as const;
type Lacking = (typeof lacking)[number];

function grantsIn(markdown: string): readonly Grant[] {
  const rows = markdown.matchAll(/^\| (\w+) \| (topic|group|transactional-id|cluster) \| (\S+) \| ([\w, ]+) \|$/gm);
  return Array.from(rows, ([, user = "", resource, name = "", operations = ""]) => ({
    user,
    resource: resource as Grant["resource"],
    name,
    operations: operations.split(", ") as Grant["operations"],
  }));
}

describe.skipIf(missing !== undefined)("brokers that allow a user a few things", () => {
  let broker: GrantingBroker;
  let clickhouse: ClickhouseTestServer;
  const running: Burnwatch[] = [];
  const clients: KafkaClient[] = [];
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-acls-"));
  beforeAll(async () => {
    const users = new Set(written.map(({ user }) => user));
    [broker, clickhouse] = await Promise.all([startGrantingBroker([...users, ...lacking]), startClickhouseServer()]);
    await broker.grant(written);
  }, 120_000);
  afterAll(async () => {
    rmSync(directory, { recursive: true, force: true });
    for (const one of running) await one.remove();
    for (const client of clients) await client.close();
    await broker?.stop();
    await clickhouse?.stop();
  });

  const environmentOf = (user: string, prefix = "burnwatch") => ({
    BURNWATCH_KAFKA_BROKERS: broker.sasl,
    BURNWATCH_KAFKA_PREFIX: prefix,
    BURNWATCH_KAFKA_PARTITIONS: "1",
    BURNWATCH_KAFKA_REPLICAS: "1",
    BURNWATCH_KAFKA_SASL: "plain",
    BURNWATCH_KAFKA_USER: user,
    BURNWATCH_KAFKA_PASSWORD: user,
    BURNWATCH_CLICKHOUSE_URL: clickhouse.url,
    BURNWATCH_CLICKHOUSE_DATABASE: database,
  });
  function clientOf(user: string): KafkaClient {
    const sasl = { mechanism: "plain", username: user, password: user } as const;
    const client = kafkajsClient({ brokers: [broker.sasl], clientId: "test", security: { tls: null, sasl } });
    clients.push(client);
    return client;
  }

  it("let every role do its work with what deploy/KAFKA-ACLS.md gives it", { timeout: 300_000 }, async () => {
    const roles = ["writer", "resolver", "detector", "alerter", "api", "collector"] as const;
    for (const role of roles)
      running.push(await startBurnwatch({ words: ["--role", role], environment: environmentOf(role) }));
    const [writer, , , , api, collector] = running;
    const { body, sent } = exportRequest(50, Date.now());
    await postUntilAcked(collector?.tracesUrl ?? "", body);
    await settle(api?.apiUrl ?? "");
    const store = await openRemoteStore({ url: clickhouse.url, database });
    const [row] = await store.query<{ calls: string }>("SELECT toString(sum(calls)) AS calls FROM usage");
    await store.close();
    expect(row?.calls).toBe(String(sent.length));
    expect(writer?.output()).toContain("writing");
    const doctor = await burnwatch(["doctor"], environmentOf("operator"));
    expect(doctor.stdout).not.toMatch(/authori[sz]|allow /i);
    for (const one of running) expect(one.output()).not.toMatch(/not authorized|authorization failed/i);
  });

  it("say what is missing: the resource and the right, and never try again what cannot pass", {
    timeout: 240_000,
  }, async () => {
    const prefix = "lacking";
    const topics = topicsOf({ prefix });
    const layout = { prefix, partitions: 1, replicas: 1 };
    const asSuper = kafkajsClient({ brokers: [broker.broker.address], clientId: "test" });
    clients.push(asSuper);
    await createKafkaTopics(asSuper, layout, { horizonMs: 1000 });
    const all = { resource: "topic", name: `${prefix}.*`, operations: ["Describe"] } as const;
    const id = { resource: "transactional-id", name: "lacking-id", operations: ["Write"] } as const;
    await broker.grant([
      ...(["write", "read", "place", "id", "commit"] as const).map((user) => ({ user, ...all })),
      // Whoever may append nowhere hears of that first.
      ...(["write", "id"] as const).map((user) => ({
        user,
        resource: "topic" as const,
        name: topics.metrics,
        operations: ["Write"] as const,
      })),
      { user: "commit", ...id },
      { user: "commit", resource: "topic", name: topics.usage, operations: ["Write"] },
      { user: "commit", resource: "topic", name: topics.spans, operations: ["Read"] },
    ]);
    const value = Buffer.from("x");
    const place = { group: "lacking-group", topic: topics.spans, partition: 0, offset: 0, metadata: "" };
    const attempts: Readonly<Record<Lacking, readonly [line: RegExp, attempt: () => Promise<unknown>]>> = {
      create: [
        /allow Create and Describe on topics create\.spans, /,
        () => createKafkaTopics(clientOf("create"), { ...layout, prefix: "create" }, { horizonMs: 1000 }),
      ],
      describe: [/allow Describe on topic lacking\.spans /, () => clientOf("describe").partitions(topics.spans)],
      write: [
        /cannot append to lacking\.spans: .*; allow Write on topic lacking\.spans /,
        async () => (await clientOf("write").producer()).send([{ topic: topics.spans, partition: 0, value }]),
      ],
      read: [
        /allow Read on topic lacking\.spans /,
        async () => (await clientOf("read").reader(topics.spans, 0)).fetch({ offset: 0, bytesMax: 100, waitMs: 10 }),
      ],
      place: [
        /allow Describe on group lacking-group /,
        () => clientOf("place").committed("lacking-group", topics.spans),
      ],
      id: [/allow Write on transactional id lacking-id /, () => clientOf("id").transactions("lacking-id")],
      commit: [
        /cannot commit as lacking-id: .*; allow Read on group lacking-group /,
        async () =>
          (await clientOf("commit").transactions("lacking-id")).commit(
            [{ topic: topics.usage, partition: 0, value }],
            place,
          ),
      ],
    };
    const lines: string[] = [];
    for (const [user, [line, attempt]] of Object.entries(attempts)) {
      const error = await attempt().then(
        () => new Error("it was allowed"),
        (refused: Error) => refused,
      );
      if (!line.test(error.message) || error.message.includes("\n"))
        lines.push(`${user}: ${error.name}: ${error.message}`);
    }
    expect(lines).toEqual([]);
  });

  it("end a process that cannot begin with one line, and let one wait that can", { timeout: 240_000 }, async () => {
    const prefix = "lacking";
    const { code, stderr } = await burnwatch(
      ["serve", "--role", "collector", "--data", directory],
      environmentOf("describe", prefix),
    );
    expect(code).not.toBe(0);
    expect(stderr.trim().split("\n").at(-1)).toMatch(
      /^burnwatch serve: cannot .*; allow Create and Describe on topics /,
    );
    const collector = await startBurnwatch({
      words: ["--role", "collector"],
      environment: environmentOf("write", prefix),
    });
    running.push(collector);
    const { body } = exportRequest(3, Date.now());
    const post = async () =>
      (await fetch(collector.tracesUrl, { method: "POST", headers: { "content-type": "application/json" }, body }))
        .status;
    expect(await post()).toBe(503);
    expect(collector.output()).toMatch(/exporters are told to wait/);
    expect(collector.output()).toContain("allow Write on topic lacking.spans");
    await broker.grant([{ user: "write", resource: "topic", name: "lacking.spans", operations: ["Write"] }]);
    await expect.poll(post, { timeout: 60_000 }).toBe(200);
    const doctor = await burnwatch(["doctor"], environmentOf("read", prefix));
    expect(doctor.stdout).toMatch(/allow .* on /);
  });
});
