/**
 * One incident from span to webhook, in servers as users run them: the page says why and how many dollars each factor is,
 * `burnwatch backtest --since` finds the same incident in what was stored, and a detector that is killed in the middle of
 * it knows afterwards what one knows that was never disturbed.
 */

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seededRandom } from "../src/ingest/otlp-random.ts";
import { chaosSpan, requestOf } from "./chaos/chaos-span.ts";
import { detectionFaults } from "./chaos/fresh-detection.ts";
import { excessUsdPerMinuteMin } from "./chaos/incident.ts";
import { Victim } from "./chaos/victim.ts";
import { type Burnwatch, burnwatch, freePort, settle, sql, startBurnwatch } from "./support/burnwatch.ts";
import { postUntilAcked } from "./support/load.ts";

const minuteMs = 60_000;
const calmMinutes = 40;
const users = 10;
const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
const integer = (key: string, value: number) => ({ key, value: { intValue: String(value) } });

interface Posted {
  readonly status: string;
  readonly alerts: readonly {
    readonly labels: Record<string, string>;
    readonly annotations: Record<string, string>;
    readonly fingerprint: string;
  }[];
}

const posted: Posted[] = [];
const receiver = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  posted.push(JSON.parse(body));
  response.end();
});

let webhookUrl: string;
let server: Burnwatch;
beforeAll(async () => {
  const port = await freePort();
  receiver.listen(port, "127.0.0.1");
  webhookUrl = `http://127.0.0.1:${port}/hook`;
  server = await startBurnwatch({ environment: { BURNWATCH_WEBHOOK: webhookUrl } });
});
afterAll(async () => {
  receiver.close();
  await server.remove();
});

/** A call of gpt-4o, at $2.50 and $10 a million tokens, with 100 tokens of output. */
function call(
  atMs: number,
  user: number,
  { feature, promptVersion, input }: { feature: string; promptVersion: string; input: number },
) {
  return {
    traceId: randomBytes(16).toString("hex"),
    spanId: randomBytes(8).toString("hex"),
    name: "chat gpt-4o",
    kind: 3,
    startTimeUnixNano: `${Math.round(atMs) - 1000}000000`,
    endTimeUnixNano: `${Math.round(atMs)}000000`,
    attributes: [
      text("gen_ai.operation.name", "chat"),
      text("gen_ai.provider.name", "openai"),
      text("gen_ai.request.model", "gpt-4o"),
      text("burnwatch.tenant", "acme"),
      text("burnwatch.feature", feature),
      text("burnwatch.prompt.version", promptVersion),
      text("user.id", `user-${user}`),
      integer("gen_ai.usage.input_tokens", input),
      integer("gen_ai.usage.output_tokens", 100),
    ],
  };
}

/** Each user calls each feature once a minute, half of them with prompt v6 and half with v7. */
function minuteOf(startMs: number, input: (feature: string, promptVersion: string) => number) {
  return Array.from({ length: users }, (_, user) =>
    ["chat", "search"].map((feature) => {
      const promptVersion = user % 2 === 0 ? "v6" : "v7";
      const atMs = startMs + (user * minuteMs) / users;
      return call(atMs, user, { feature, promptVersion, input: input(feature, promptVersion) });
    }),
  ).flat();
}

function bodyOf(spans: readonly object[]): string {
  const resource = { attributes: [text("service.name", "shop")] };
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "test" }, spans }] }] });
}

it("pages with the cause: the prompt whose inputs grew, and dollars by factor that the store confirms to the cent", {
  timeout: 120_000,
}, async () => {
  const nowMs = Date.now();
  for (let minute = calmMinutes; minute >= 2; minute--) {
    await postUntilAcked(server.tracesUrl, bodyOf(minuteOf(nowMs - minute * minuteMs, () => 2000)));
  }
  const grown = minuteOf(nowMs - minuteMs, (feature, version) =>
    feature === "chat" && version === "v7" ? 400_000 : 2000,
  );
  await postUntilAcked(server.tracesUrl, bodyOf(grown));
  await expect.poll(() => posted.length, { timeout: 60_000 }).toBeGreaterThan(0);
  await settle(server.apiUrl);

  expect(posted[0]).toMatchObject({ status: "firing" });
  const [alert] = posted[0]?.alerts ?? [];
  expect(alert?.labels).toMatchObject({
    alertname: "spend_above_baseline",
    tenant: "acme",
    feature: "chat",
    severity: "page",
  });
  // On a crowded machine the page goes out without its cause, says so, and the cause is shown when it comes.
  const isKnown = (annotations: Posted["alerts"][number]["annotations"]) =>
    annotations["cause"] !== undefined && !annotations["cause"].startsWith("not known: the store had not answered");
  const shown = async () => {
    const answer = await fetch(`${server.apiUrl}/api/v1/alerts`);
    const { alerts } = (await answer.json()) as { alerts: Posted["alerts"] };
    return alerts.find(({ fingerprint }) => fingerprint === alert?.fingerprint)?.annotations ?? {};
  };
  await expect.poll(async () => isKnown(await shown()), { timeout: 30_000 }).toBe(true);
  expect(alert?.annotations["cause"]).toBeDefined();
  const said = isKnown(alert?.annotations ?? {}) ? alert?.annotations : await shown();
  const { cause = "", cause_dollars: dollars = "", cause_compared: compared = "" } = said ?? {};
  expect(cause).toMatch(/^\+\$[\d.,]+\/h: \d+ % from prompt v7: inputs [\d.]+x longer/);
  const [whole = ""] = dollars.split("; ");
  const amounts = [...whole.matchAll(/([+-]?)\$([\d.]+)/g)].map(([, sign, usd]) => Number(`${sign}${usd}`));
  const [after = 0, before = 0, change = 0, ...parts] = amounts.map((usd) => Math.round(usd * 10_000));
  expect(after - before).toBe(change);
  expect(parts.reduce((sum, part) => sum + part, 0)).toBe(change);

  // The same two periods, asked by hand.
  const [afterFrom = "", afterTo = "", beforeFrom = "", beforeTo = ""] = compared.match(/20[\d\-T:.]+Z/g) ?? [];
  const spent = async (from: string, to: string) => {
    const end = "toUnixTimestamp64Milli(ts) + intDiv(duration_us, 1000)";
    const [row] = await sql(
      server.apiUrl,
      `SELECT toFloat64(sum(cost_usd)) AS usd FROM usage WHERE tenant = 'acme' AND feature = 'chat' AND ${end} >= ${Date.parse(from)} AND ${end} < ${Date.parse(to)}`,
    );
    return Number(row?.["usd"]);
  };
  const length = (from: string, to: string) => Date.parse(to) - Date.parse(from);
  const usual = ((await spent(beforeFrom, beforeTo)) * length(afterFrom, afterTo)) / length(beforeFrom, beforeTo);
  expect(Math.abs((await spent(afterFrom, afterTo)) - after / 10_000)).toBeLessThan(0.01);
  expect(Math.abs(usual - before / 10_000)).toBeLessThan(0.01);

  const { stdout } = await burnwatch(["alerts"], { BURNWATCH_URL: server.apiUrl });
  expect(stdout).toContain("prompt v7: inputs");
  expect(stdout).toMatch(/dollars \$[\d.]+, usually \$[\d.]+: \+\$[\d.]+ = /);
});

it("finds the same incident in what the running server has stored, and says how often it would page", {
  timeout: 60_000,
}, async () => {
  const environment = { BURNWATCH_URL: server.apiUrl };
  // One call of each calm feature is corrected: it is one record still.
  const again = minuteOf(Date.now() - 30 * minuteMs, () => 2000).slice(0, 2);
  const corrected = again.map((span) => ({
    ...span,
    attributes: [
      ...span.attributes.filter(({ key }) => key !== "gen_ai.usage.input_tokens"),
      integer("gen_ai.usage.input_tokens", 2100),
      integer("burnwatch.revision", 1),
    ],
  }));
  for (const spans of [again, corrected]) await postUntilAcked(server.tracesUrl, bodyOf(spans));
  await settle(server.apiUrl);
  const [rows] = await sql(server.apiUrl, "SELECT toInt32(count()) AS rows FROM usage");
  const { code, stdout, stderr } = await burnwatch(["backtest", "--since", "2h", "--json"], environment);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const records = calmMinutes * users * 2 + again.length;
  expect(Number(rows?.["rows"])).toBe(records + 2 * again.length);
  expect(lines.at(-1)).toMatchObject({ records, pages: 1 });
  expect(lines.filter(({ severity }) => severity === "page")).toMatchObject([
    { kind: "spend_above_baseline", series: { tenant: "acme", feature: "chat" } },
  ]);
  const [alert] = posted[0]?.alerts ?? [];
  const [found] = lines;
  expect(found?.["onset"]).toBe(alert?.annotations["since"]);
  const quiet = await burnwatch(["backtest", "--since", "2h", "--set", "spend=off", "--json"], environment);
  expect(quiet.stdout).not.toContain("spend_above_baseline");
});

it("ends when somebody says that it is the new normal, tells the webhook so, and is over after a restart, too", {
  timeout: 120_000,
}, async () => {
  const environment = { BURNWATCH_URL: server.apiUrl };
  const [alert] = posted[0]?.alerts ?? [];
  const fingerprint = alert?.fingerprint ?? "";
  expect(await burnwatch(["alerts", "accept", "0123456789abcdef"], environment)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no alert has the fingerprint "0123456789abcdef"'),
  });
  const { code, stdout } = await burnwatch(["alerts", "accept", fingerprint], environment);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: "spend_above_baseline  tenant=acme feature=chat: accepted as the new normal, learnt anew from now on\n",
  });
  const resolved = () =>
    posted.find(({ status, alerts }) => status === "resolved" && alerts[0]?.fingerprint === fingerprint);
  await expect.poll(resolved, { timeout: 30_000 }).toBeDefined();
  expect(resolved()?.alerts[0]?.annotations["why"]).toContain("accepted as the new normal");
  expect((await burnwatch(["alerts"], environment)).stdout).not.toContain(fingerprint);
  const again = await burnwatch(["alerts", "accept", fingerprint], environment);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("is over: there is nothing to accept") });

  const told = posted.length;
  await server.kill();
  await server.start();
  // As much as before was an incident.
  const grown = minuteOf(Date.now() - minuteMs, (feature, version) =>
    feature === "chat" && version === "v7" ? 400_000 : 2000,
  );
  await postUntilAcked(server.tracesUrl, bodyOf(grown));
  await settle(server.apiUrl);
  const { stdout: after } = await burnwatch(["alerts"], environment);
  expect(after).not.toContain("feature=chat");
  expect(posted.length).toBe(told);
});

it("knows after three kills in the middle of an incident what a detector knows that was never killed, and pages once", {
  timeout: 180_000,
}, async () => {
  const victim = await Victim.create({
    environment: {
      BURNWATCH_WEBHOOK: webhookUrl,
      BURNWATCH_EXCESS_USD_PER_MINUTE_MIN: String(excessUsdPerMinuteMin),
    },
  });
  try {
    await victim.start();
    const random = seededRandom(77);
    const nowMs = Date.now();
    const send = (spans: readonly { atMs: number; input: number }[]) => {
      const made = spans.map(({ atMs, input }) =>
        chaosSpan({ producer: "", sequence: 0, tenant: "killed", feature: "incident", atMs, input, output: 1 }, random),
      );
      return postUntilAcked(victim.tracesUrl, requestOf(made));
    };
    const killedPosts = () => posted.filter(({ alerts }) => alerts[0]?.labels["tenant"] === "killed");
    // A dollar a minute, then calls of fifty dollars.
    await send(Array.from({ length: 20 }, (_, index) => ({ atMs: nowMs - (20 - index) * minuteMs, input: 400_000 })));
    await send([{ atMs: nowMs, input: 20_000_000 }]);
    // Not enough for a page yet: the evidence is in the detector and its last snapshot is older.
    await victim.kill();
    await victim.start();
    await send([2, 3, 4].map((second) => ({ atMs: nowMs + second, input: 20_000_000 })));
    await expect.poll(() => killedPosts().length, { timeout: 60_000 }).toBe(1);
    const alertsOf = async () =>
      (await (await fetch(`${victim.apiUrl}/api/v1/alerts?all=1`)).json()) as {
        alerts: { fingerprint: string; starts_at: string; status: string }[];
      };
    const [before] = (await alertsOf()).alerts;
    await victim.kill();
    await victim.start();
    await send([5, 6].map((second) => ({ atMs: nowMs + second, input: 20_000_000 })));
    await victim.kill();
    await victim.start();
    await settle(victim.apiUrl);
    const { alerts } = await alertsOf();
    expect(alerts).toHaveLength(1);
    expect(alerts[0]).toMatchObject({
      status: "firing",
      fingerprint: before?.fingerprint,
      starts_at: before?.starts_at,
    });
    await victim.stop();
    const { differences, entries, alerts: known } = await detectionFaults(victim.directory, victim.journal);
    expect(differences).toEqual([]);
    expect(entries).toBeGreaterThan(3);
    expect(known).toBe(1);
    expect(killedPosts().map(({ status }) => status)).toEqual(["firing"]);
  } finally {
    await victim.remove();
  }
});
