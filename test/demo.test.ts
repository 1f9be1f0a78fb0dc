/** The first minute of a newcomer: the demo alerts on the incident, on nothing before it, and says what it cost. */

import { createServer } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { type Burnwatch, burnwatch, freePort, startBurnwatch } from "./support/burnwatch.ts";

/** Each kind with a salt of its own; nothing is tuned to one of them. */
const demos = [
  ["token-shift", "a", { alertname: "spend_above_baseline" }],
  ["loop", "b", { alertname: "runaway_run", run: "nightly-report" }],
  ["cache-break", "c", { alertname: "cache_collapse", model: "claude-sonnet-4-5-20250929" }],
  ["model-fallback", "d", { alertname: "silent_fallback" }],
  ["retry-storm", "e", { alertname: "retry_storm" }],
  ["token-shift", "f", { alertname: "spend_above_baseline" }],
] as const;
const alertWithinMs = 90_000;
const incidentMinutes = 10;
const minuteMs = 60_000;

interface AlertJson {
  readonly status: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly starts_at: string;
  readonly impact_usd: string;
}

let server: Burnwatch | undefined;
afterEach(() => server?.remove());

async function alertsOf(url: string): Promise<AlertJson[]> {
  const { alerts } = (await (await fetch(`${url}/api/v1/alerts?all=1`)).json()) as { alerts: AlertJson[] };
  return alerts;
}

describe.each(demos)("npm start -- --demo --incident %s --salt %s", (incident, salt, names) => {
  it("alerts on the incident within 90 s, and on nothing else", { timeout: alertWithinMs + 30_000 }, async () => {
    const posted: { status: string; alerts: { labels: Record<string, string>; startsAt: string }[] }[] = [];
    const port = await freePort();
    const receiver = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      posted.push(JSON.parse(body));
      response.end();
    }).listen(port, "127.0.0.1");
    const startedAtMs = Date.now();
    server = await startBurnwatch({
      words: ["--demo", "--incident", incident, "--salt", salt],
      environment: { BURNWATCH_WEBHOOK: `http://127.0.0.1:${port}/hook` },
    });
    while (!server.output().includes("demo: done") && Date.now() - startedAtMs < alertWithinMs) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const endedAtMs = Date.now();
    const alerts = await alertsOf(server.apiUrl);
    expect(alerts).toHaveLength(1);
    const [alert] = alerts;
    expect(alert?.labels).toEqual({ ...names, tenant: "demo", feature: "conv" });
    // The trace ends when it is sent; the incident began ten minutes before that end, give or take a minute's edge.
    const startsAtMs = Date.parse(alert?.starts_at ?? "");
    expect(startsAtMs).toBeGreaterThanOrEqual(startedAtMs - (incidentMinutes + 1) * minuteMs);
    expect(startsAtMs).toBeLessThan(endedAtMs);
    expect(Number(alert?.impact_usd)).toBeGreaterThan(0);
    expect(server.output()).toMatch(/\[ALERT page\] .*conv of tenant demo/);
    expect(posted.map(({ status }) => status)).toEqual(["firing"]);
    expect(posted[0]?.alerts[0]?.labels).toMatchObject({ tenant: "demo", feature: "conv" });

    const { stdout } = await burnwatch(["cost", "--by", "model,feature"], { BURNWATCH_URL: server.apiUrl });
    expect(stdout).toMatch(/conv/);
    expect(stdout).toMatch(/100(\.0+)? % accounted/);
    receiver.close();
  });
});
