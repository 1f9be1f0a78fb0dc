/** A ClickHouse whose passwords expire under processes that work: they wait, say what to do, and lose nothing. */

import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Burnwatch } from "./support/burnwatch.ts";
import { startCluster, type TestCluster } from "./support/cluster.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

const missing = await kafkaMissing();

/** Before the test server, which knows no passwords: asks for one as ClickHouse does, and refuses as it does. */
class Gate {
  readonly #server: Server;
  readonly #passwords = new Map<string, string>();
  readonly #target: URL;

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, response) => this.#answer(incoming, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((listening) => this.#server.listen(0, "127.0.0.1", listening));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  setPassword(user: string, password: string): void {
    this.#passwords.set(user, password);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    const { authorization = "", ...headers } = incoming.headers;
    const [user = "", password] = Buffer.from(authorization.replace(/^Basic /, ""), "base64")
      .toString()
      .split(":");
    if (password === undefined || this.#passwords.get(user) !== password) {
      incoming.resume();
      response.writeHead(403, { "x-clickhouse-exception-code": "516" });
      const why = "Authentication failed: password is incorrect, or there is no user with such name.";
      response.end(`Code: 516. DB::Exception: ${user}: ${why} (AUTHENTICATION_FAILED) (version 26.7.2.1)\n`);
      return;
    }
    const { hostname, port } = this.#target;
    const { method, url: path } = incoming;
    const onward = request({ hostname, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    incoming.pipe(onward);
  }
}

describe.skipIf(missing !== undefined)("credentials of ClickHouse that expire", () => {
  let cluster: TestCluster;
  let gate: Gate;
  let all: Burnwatch;
  beforeAll(async () => {
    cluster = await startCluster({ partitions: 1 });
    gate = new Gate(cluster.environment["BURNWATCH_CLICKHOUSE_URL"] ?? "");
    gate.setPassword("writes", "first-word");
    gate.setPassword("asks", "second-word");
    all = await cluster.start("collector,resolver,writer,api", {
      BURNWATCH_CLICKHOUSE_URL: await gate.listen(),
      BURNWATCH_CLICKHOUSE_USER: "writes",
      BURNWATCH_CLICKHOUSE_PASSWORD: "first-word",
      BURNWATCH_CLICKHOUSE_READ_USER: "asks",
      BURNWATCH_CLICKHOUSE_READ_PASSWORD: "second-word",
    });
  }, 120_000);
  afterAll(async () => {
    await cluster?.stop();
    gate?.close();
  });

  async function send(): Promise<number> {
    const { body, sent } = exportRequest(50, Date.now());
    await postUntilAcked(all.tracesUrl, body);
    return sent.length;
  }
  const ask = () => fetch(`${all.apiUrl}/api/v1/cost?by=model`);
  async function calls(): Promise<number> {
    const [row] = await cluster.store.query<{ calls: string }>("SELECT toString(sum(calls)) AS calls FROM usage");
    return Number(row?.calls);
  }

  it("let the writer wait, which says what to do, and loses nothing of what was acknowledged meanwhile", {
    timeout: 120_000,
  }, async () => {
    const before = await send();
    await cluster.settle(30_000);
    expect(await calls()).toBe(before);
    gate.setPassword("writes", "another-word");
    const meanwhile = await send();
    const line =
      /writes: Authentication failed.*; correct clickhouse\.user and clickhouse\.password, or renew what has/;
    await expect.poll(() => all.output(), { timeout: 20_000 }).toMatch(line);
    expect(await calls()).toBe(before);
    expect((await ask()).status).toBe(200);
    gate.setPassword("writes", "first-word");
    await cluster.settle(30_000);
    expect(await calls()).toBe(before + meanwhile);
  });

  it("answer questions with what to do, and again once the password is renewed", { timeout: 60_000 }, async () => {
    gate.setPassword("asks", "another-word");
    const refused = await ask();
    expect([refused.status, await refused.text()]).toEqual([
      503,
      expect.stringMatching(/Authentication failed.*clickhouse\.read_user and clickhouse\.read_password/),
    ]);
    gate.setPassword("asks", "second-word");
    expect((await ask()).status).toBe(200);
    expect(all.output()).not.toMatch(/first-word|second-word/);
  });
});
