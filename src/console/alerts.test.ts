import { afterEach, beforeEach, expect, test } from "vitest";
import { alerts } from "./alerts.ts";
import { runForTest, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.stop());

const run = (args: string[]) => runForTest(alerts, [...args, "--api", server.url]);

const alert = {
  fingerprint: "0123456789abcdef",
  kind: "spend_above_baseline",
  status: "firing",
  severity: "page",
  labels: { tenant: "acme", feature: "conv" },
  annotations: { summary: "conv spends $6.20 a minute instead of $1.40" },
  starts_at: "2026-01-01T00:00:00Z",
  ends_at: null,
  observed: "6.2",
  expected: "1.4",
  impact_usd: "48.1",
  generator: "kept",
};
const resolved = { ...alert, status: "resolved", ends_at: "2026-01-01T00:10:00Z", fingerprint: "fedcba9876543210" };
const answer = (list: object[]) => ({ body: { alerts: list, completeness: 1, lag_seconds: 0 } });

test("prints each alert with its reason, since when and what it costs", async () => {
  server.answers["GET /api/v1/alerts"] = answer([alert, resolved]);
  const { code, out } = await run(["--all"]);
  expect(code).toBe(0);
  expect(server.asked[0]?.query.get("all")).toBe("1");
  expect(out).toMatch(
    /^FIRING page {2}spend_above_baseline {2}tenant=acme feature=conv\n {2}conv spends \$6\.20 a minute instead of \$1\.40\n {2}since 2026-01-01T00:00:00Z \(\d+ \w+\) {2}observed 6\.2 {2}expected 1\.4 {2}impact \$48\.1\n/,
  );
  expect(out).toContain("RESOLVED page");
  expect(out).toContain("(ended after 10 min)");
  expect(out).toMatch(/\n100 % accounted · lag 0 s\n$/);
});

test("asks only for what fires, unless told otherwise", async () => {
  server.answers["GET /api/v1/alerts"] = answer([]);
  expect((await run([])).out).toBe(
    "Nothing is firing. Past alerts: burnwatch alerts --all\n100 % accounted · lag 0 s\n",
  );
  expect(server.asked[0]?.query.toString()).toBe("");
  expect((await run(["--all"])).out).toContain("No alerts.\n");
});

test("--json keeps fields that this version does not know, and --status chooses", async () => {
  server.answers["GET /api/v1/alerts"] = answer([alert, resolved]);
  const { out } = await run(["--json", "--status", "resolved"]);
  expect(JSON.parse(out)).toEqual({ alerts: [resolved], completeness: 1, lag_seconds: 0 });
  expect(server.asked[0]?.query.get("all")).toBe("1");
});

test("accept says that an alert is the new normal, and waits until the detectors have heard of it", async () => {
  server.answers["POST /api/v1/alerts/0123456789abcdef/accept"] = { status: 202, body: { accepted: true, alert } };
  server.answers["POST /api/v1/settle"] = { body: { settled: true } };
  expect(await run(["accept", "0123456789abcdef"])).toMatchObject({
    code: 0,
    out: "spend_above_baseline  tenant=acme feature=conv: accepted as the new normal, learnt anew from now on\n",
  });
  expect(server.asked.map(({ path }) => path)).toEqual(["/api/v1/alerts/0123456789abcdef/accept", "/api/v1/settle"]);
  expect(JSON.parse((await run(["accept", "0123456789abcdef", "--json"])).out)).toEqual({ accepted: true, alert });
});

test.each([[["accept"]], [["accept", "conv"]], [["ignore", "0123456789abcdef"]]])(
  "%j is wrong usage",
  async (words) => {
    expect(await run(words)).toMatchObject({ code: 2, err: expect.stringContaining("the fingerprint of one alert") });
    expect(server.asked).toEqual([]);
  },
);

test("an unknown status is wrong usage", async () => {
  expect(await run(["--status", "open"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("expected firing or resolved"),
  });
});
