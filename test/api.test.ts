/** The API as operators and scripts meet it: health, metrics, the document of itself, and clear refusals. */

import { request } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Burnwatch, startBurnwatch } from "./support/burnwatch.ts";

let server: Burnwatch;
beforeAll(async () => {
  server = await startBurnwatch();
});
afterAll(() => server.remove());

async function get(path: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${server.apiUrl}${path}`);
  return { status: answer.status, text: await answer.text() };
}

it("is healthy and ready, and shows its metrics", async () => {
  expect(await get("/healthz")).toEqual({ status: 200, text: "ok\n" });
  expect(await get("/readyz")).toEqual({ status: 200, text: "ready\n" });
  const { text } = await get("/metrics");
  for (const name of [
    "burnwatch_backlog_spans 0",
    "burnwatch_lag_seconds 0",
    "burnwatch_alerts_firing 0",
    "process_cpu_seconds_total",
  ]) {
    expect(text).toContain(name);
  }
});

it("describes every route of its own in OpenAPI 3.1", async () => {
  const document = JSON.parse((await get("/api/v1/openapi.json")).text) as {
    openapi: string;
    paths: Record<string, object>;
  };
  expect(document.openapi).toBe("3.1.0");
  const slow = ["/api/v1/tail", "/instrumentation.tgz"];
  const asked = Object.entries(document.paths).filter(
    ([path, methods]) => "get" in methods && !/\{/.test(path) && !slow.includes(path),
  );
  for (const [path] of asked) expect([path, (await get(path)).status]).toEqual([path, 200]);
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(["/api/v1/cost", "/api/v1/sql", "/api/v1/alerts", "/api/v1/tail", "/api/v1/doctor"]),
  );
});

it("refuses with the place, what was expected and what to do", async () => {
  const refusals: [string, number, RegExp][] = [
    ["/api/v1/cost?by=modell", 400, /"modell" is not a dimension \(did you mean "model"\?\)/],
    ["/api/v1/cost?since=soon", 400, /since: "soon" is no time.*use 24h/],
    ["/api/v1/cost?where=acme", 400, /where: "acme" is no dimension=value/],
    ["/api/v1/cost?limit=many", 400, /query\.limit/],
    ["/api/v1/cost?colour=red", 400, /colour/],
    ["/api/v1/replays/xyz", 400, /not 16 hex digits/],
    ["/nothing", 404, /no such page.*openapi\.json/],
    ["/api/v1/sql", 405, /use POST/],
  ];
  for (const [path, status, message] of refusals) {
    const answer = await get(path);
    expect([path, answer.status]).toEqual([path, status]);
    expect(answer.text.replaceAll('\\"', '"')).toMatch(message);
  }
});

it("answers no page of the open web that names this machine by a name of its own", async () => {
  const { port } = new URL(server.apiUrl);
  const status = await new Promise<number | undefined>((done) => {
    request({ host: "127.0.0.1", port, path: "/api/v1/cost", headers: { host: "evil.example" } }, (answer) => {
      answer.resume();
      done(answer.statusCode);
    }).end();
  });
  expect(status).toBe(403);
});

it("takes a form post from another page for what it is not: JSON", async () => {
  const answer = await fetch(`${server.apiUrl}/api/v1/sql`, {
    method: "POST",
    body: new URLSearchParams({ query: "SELECT 1" }),
  });
  expect(answer.status).toBe(415);
});

it("drains and ends with code 0 when it is told to stop", async () => {
  expect(await server.stop()).toBe(0);
  expect(server.output()).toContain("stopped");
});
