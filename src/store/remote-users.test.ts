/** Who a store is to its server: the real HTTP interface knows one user, `default`, and none else. */

import { request as ask, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ClickhouseTestServer, startClickhouseServer } from "../../test/support/clickhouse-server.ts";
import { openRemoteStore } from "./remote.ts";

let server: ClickhouseTestServer;
beforeAll(async () => {
  server = await startClickhouseServer();
});
afterAll(() => server?.stop());

it("says which keys to correct where the server refuses who writes or who reads, and no password", async () => {
  const stranger = { username: "writer", password: "secret-word" };
  const refused = (options: object) =>
    openRemoteStore({ url: server.url, database: "d", ...options }).then(
      () => "",
      (error: Error) => error.message,
    );
  expect(await refused(stranger)).toMatch(
    /^connect to ClickHouse at http:.*writer: Authentication failed.*; correct clickhouse\.user and clickhouse\.password, or renew what has expired$/,
  );
  expect(await refused({ reader: stranger })).toMatch(
    /Authentication failed.*; correct clickhouse\.read_user and clickhouse\.read_password/,
  );
  expect((await refused(stranger)) + (await refused({ reader: stranger }))).not.toContain("secret-word");
  expect(await refused({ url: "http://127.0.0.1:1" })).toMatch(
    /^connect to ClickHouse at http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/,
  );
});

it("knows nobody but the reader with access to read: neither the writer's password nor a database of its own making", async () => {
  const stranger = { username: "writer", password: "wrong" };
  const reader = { username: "default", password: "" };
  const store = await openRemoteStore({ url: server.url, database: "not_made", ...stranger, reader, access: "read" });
  await expect(store.query("SELECT 1 AS one")).rejects.toThrow(/not_made/);
  await store.close();
  const made = await openRemoteStore({ url: server.url, database: "made" });
  await made.close();
  const asking = await openRemoteStore({ url: server.url, database: "made", ...stranger, reader, access: "read" });
  expect(await asking.query("SELECT name FROM system.databases WHERE name LIKE '%made'")).toEqual([{ name: "made" }]);
  await asking.close();
  const refused = openRemoteStore({ url: server.url, database: "made", reader: stranger, access: "read" });
  await expect(refused).rejects.toThrow(/correct clickhouse\.read_user and clickhouse\.read_password/);
});

it("asks questions as the reader, and everything that decides what is stored as the writer", async () => {
  // The interface takes "" for `default`, so that there are two names for the one user; what passes is written down.
  const asked: { readonly user: string; readonly sql: string }[] = [];
  const relay = createServer(async (request, response) => {
    const body = await buffer(request);
    const user = Buffer.from(request.headers.authorization?.replace("Basic ", "") ?? "", "base64").toString();
    const from = new URL(request.url ?? "/", server.url);
    const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString();
    asked.push({ user, sql: `${from.searchParams.get("query")} ${text}` });
    const { "transfer-encoding": _, ...headers } = request.headers;
    const onwards = ask(from, { method: request.method ?? "GET", headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onwards.end(body);
  });
  await new Promise<void>((done) => relay.listen(0, "127.0.0.1", done));
  const { port } = relay.address() as AddressInfo;
  const reader = { username: "", password: "" };
  const store = await openRemoteStore({ url: `http://127.0.0.1:${port}`, database: "d", reader });
  await store.migrate();
  expect(await store.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  await store.queryText("SELECT 2 AS two", "TSV", { seconds: 5, rows: 10, memoryBytes: 1e8 });
  expect(await store.batchDays("token", ["2026-01-01"])).toEqual(new Map());
  await store.close();
  await new Promise((done) => relay.close(done));
  const whoAsked = (what: string) => [
    ...new Set(asked.filter(({ sql }) => sql.includes(what)).map(({ user }) => user)),
  ];
  expect([whoAsked("AS one"), whoAsked("AS two")]).toEqual([[":"], [":"]]);
  expect([whoAsked("schema_migrations"), whoAsked("batch")]).toEqual([["default:"], ["default:"]]);
});
