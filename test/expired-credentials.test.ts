/** Passwords that are changed under a cluster at work: it says which and waits, loses nothing, doubles nothing, and goes on. */

import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRemoteStore } from "../src/store/remote.ts";
import { type Burnwatch, settle, sql, startBurnwatch } from "./support/burnwatch.ts";
import { type ClickhouseTestServer, startClickhouseServer } from "./support/clickhouse-server.ts";
import { type ClickhouseUsers, startClickhouseUsers } from "./support/clickhouse-users.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { type SecuredBroker, securedUser, startSecuredBroker } from "./support/kafka-security.ts";
import { exportRequest } from "./support/load.ts";

const missing = process.env["BURNWATCH_TEST_KAFKA"] === undefined ? await kafkaMissing() : "a broker of one's own";
const database = "expired";

describe.skipIf(missing !== undefined)("a cluster whose passwords expire while it works", () => {
  let secured: SecuredBroker;
  let clickhouse: ClickhouseTestServer;
  let users: ClickhouseUsers;
  let cluster: Burnwatch;
  let sent = 0;
  beforeAll(async () => {
    [secured, clickhouse] = await Promise.all([startSecuredBroker(), startClickhouseServer()]);
    users = await startClickhouseUsers(clickhouse.url, { writer: "w-secret", reader: "r-secret" });
    cluster = await startBurnwatch({
      words: ["--role", "collector,resolver,writer,detector,alerter,api"],
      environment: {
        BURNWATCH_KAFKA_BROKERS: secured.sasl,
        BURNWATCH_KAFKA_PARTITIONS: "2",
        BURNWATCH_KAFKA_REPLICAS: "1",
        BURNWATCH_KAFKA_SASL: "scram-sha-256",
        BURNWATCH_KAFKA_USER: securedUser.username,
        BURNWATCH_KAFKA_PASSWORD: securedUser.password,
        BURNWATCH_CLICKHOUSE_URL: users.url,
        BURNWATCH_CLICKHOUSE_DATABASE: database,
        BURNWATCH_CLICKHOUSE_USER: "writer",
        BURNWATCH_CLICKHOUSE_PASSWORD: "w-secret",
        BURNWATCH_CLICKHOUSE_READ_USER: "reader",
        BURNWATCH_CLICKHOUSE_READ_PASSWORD: "r-secret",
      },
    });
  }, 120_000);
  afterAll(async () => {
    await cluster?.remove();
    await users?.stop();
    await clickhouse?.stop();
    await secured?.stop();
  });

  async function post(body: string | Uint8Array<ArrayBuffer>): Promise<number> {
    const headers = { "content-type": "application/json" };
    return (await fetch(cluster.tracesUrl, { method: "POST", headers, body })).status;
  }
  async function readiness(): Promise<string> {
    const answer = await fetch(`${cluster.apiUrl}/readyz`);
    return `${answer.status} ${await answer.text()}`;
  }
  const linesWith = (text: string) =>
    cluster
      .output()
      .split("\n")
      .filter((line) => line.includes(text));
  /** Rows of the table, and calls of the rollups. */
  async function stored(): Promise<readonly string[]> {
    const store = await openRemoteStore({ url: clickhouse.url, database });
    const [rows] = await store.query<{ n: string }>("SELECT toString(count()) AS n FROM usage_records");
    const [calls] = await store.query<{ n: string }>("SELECT toString(sum(calls)) AS n FROM usage");
    await store.close();
    return [rows?.n ?? "", calls?.n ?? ""];
  }
  async function sendAcked(count: number): Promise<void> {
    expect(await post(exportRequest(count, Date.now()).body)).toBe(200);
    sent += count;
  }

  it("says once that clickhouse.password is refused, is not ready, and stores everything once when it is right again", {
    timeout: 90_000,
  }, async () => {
    await sendAcked(20);
    await settle(cluster.apiUrl);
    users.setPassword("writer", "another");
    await sendAcked(30);
    await expect
      .poll(readiness, { timeout: 20_000 })
      .toMatch(/^503 .*writer: Authentication failed.*; correct clickhouse\.user and clickhouse\.password, or renew/);
    await setTimeout(2000);
    await sendAcked(10);
    expect(await stored()).toEqual(["20", "20"]);
    expect(linesWith("insert failed")).toHaveLength(1);
    expect(linesWith("insert failed")[0]).toContain("correct clickhouse.user and clickhouse.password");
    users.setPassword("writer", "w-secret");
    await expect.poll(readiness, { timeout: 20_000 }).toMatch(/^200 /);
    await settle(cluster.apiUrl);
    expect(await stored()).toEqual([String(sent), String(sent)]);
    expect(cluster.output()).not.toMatch(/[wr]-secret/);
  });

  it("says that clickhouse.read_password is refused, and is ready again though nobody asks", {
    timeout: 60_000,
  }, async () => {
    users.setPassword("reader", "another");
    const question = "SELECT count() AS n FROM usage";
    await expect(sql(cluster.apiUrl, question)).rejects.toThrow();
    expect((await fetch(`${cluster.apiUrl}/api/v1/cost`)).status).toBe(503);
    expect(await readiness()).toMatch(/^503 .*correct clickhouse\.read_user and clickhouse\.read_password/);
    users.setPassword("reader", "r-secret");
    await expect.poll(readiness, { timeout: 20_000 }).toMatch(/^200 /);
    expect(await sql(cluster.apiUrl, question)).toHaveLength(1);
  });

  it("says a group at a time, not a try at a time, that kafka.password is refused, is not ready, and goes on where it was when it is right again", {
    timeout: 150_000,
  }, async () => {
    await secured.changePassword("another");
    await secured.broker.killAndRestart();
    const { body } = exportRequest(15, Date.now());
    await expect.poll(readiness, { timeout: 40_000 }).toMatch(/^503 .*authentication failed.*kafka\.password/);
    expect(await post(body)).toBe(503);
    await setTimeout(3000);
    const lines = linesWith("the brokers do not take us");
    const groups = lines
      .filter((line) => line.includes("kafka.password"))
      .map((line) => /"group":"([^"]+)"/.exec(line)?.[1]);
    expect(groups).toContain("burnwatch.writer");
    // Of the membership that ended and of joining anew: not of each try.
    expect(groups.length).toBeLessThanOrEqual(2 * new Set(groups).size);
    expect(linesWith("nothing can be appended").length).toBeLessThanOrEqual(2);
    await secured.changePassword(securedUser.password);
    await expect.poll(() => post(body), { timeout: 30_000, interval: 500 }).toBe(200);
    sent += 15;
    await expect.poll(readiness, { timeout: 40_000 }).toMatch(/^200 /);
    await settle(cluster.apiUrl);
    expect(await stored()).toEqual([String(sent), String(sent)]);
    expect(cluster.output()).not.toContain(securedUser.password);
  });
});
