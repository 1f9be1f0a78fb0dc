/**
 * An incident in a cluster: from spans over several partitions to one alert at a webhook, with its cause, while detectors
 * are killed and replaced by processes that know nothing. Afterwards every topic between the detectors holds what judges
 * say of it that were never disturbed, once.
 */

import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Burnwatch, burnwatch, freePort, settle } from "./support/burnwatch.ts";
import { startCluster, type TestCluster } from "./support/cluster.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { postUntilAcked } from "./support/load.ts";
import { minuteOfCalls } from "./support/shop-calls.ts";
import { differencesToUndisturbed } from "./support/undisturbed.ts";

interface Posted {
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly startsAt: string;
  }[];
}

const missing = await kafkaMissing();
const partitions = 4;
const minuteMs = 60_000;
const calmMinutes = 30;
const features = ["chat", "search", "summary", "draft", "triage", "review"];

describe.skipIf(missing !== undefined)("alerts of a cluster over a real broker", () => {
  const posted: Posted["alerts"][number][] = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    posted.push(...(JSON.parse(body) as Posted).alerts);
    response.end();
  });
  const fired = (feature: string) =>
    posted.filter(({ labels, status }) => labels["feature"] === feature && status === "firing");
  let webhook: string;
  let cluster: TestCluster;
  beforeAll(async () => {
    const port = await freePort();
    receiver.listen(port, "127.0.0.1");
    webhook = `http://127.0.0.1:${port}/`;
    cluster = await startCluster({ partitions });
  }, 120_000);
  afterAll(async () => {
    receiver.close();
    await cluster?.stop();
  });

  it("tells each incident once, whatever becomes of detectors and alerter", { timeout: 240_000 }, async () => {
    const intake = await cluster.start("collector,resolver,writer");
    const [first, second] = [await cluster.start("detector"), await cluster.start("detector")];
    const alerter = await cluster.start("alerter", { BURNWATCH_WEBHOOK: webhook });
    const nowMs = Date.now();
    const send = (atMs: number, dear: readonly string[]) =>
      postUntilAcked(
        intake.tracesUrl,
        minuteOfCalls(atMs, { features, input: (name) => (dear.includes(name) ? 400_000 : 2000) }),
      );
    for (let minute = calmMinutes; minute > 2; minute--) await send(nowMs - minute * minuteMs, []);
    await cluster.judged(90_000);
    expect(posted).toEqual([]);

    await send(nowMs - 2 * minuteMs, ["chat"]);
    await expect.poll(() => fired("chat").length, { timeout: 60_000 }).toBe(1);
    // In the middle of the incident; whoever comes next has a directory of its own, with nothing in it.
    await first.kill();
    await send(nowMs - minuteMs, ["chat", "search"]);
    const third = await cluster.start("detector,api");
    await second.kill();
    await alerter.kill();
    await send(Date.now(), ["chat", "search", "draft"]);
    await alerter.start();
    await cluster.judged(120_000);
    for (const feature of ["search", "draft"])
      await expect.poll(() => fired(feature).length, { timeout: 60_000 }).toBe(1);
    expect(fired("chat")).toHaveLength(1);
    expect(posted.map(({ labels }) => labels["alertname"])).toEqual(posted.map(() => "spend_above_baseline"));
    expect(new Set(posted.map(({ annotations }) => annotations["cause"] !== undefined))).toEqual(new Set([true]));

    await expectAnswers(third.apiUrl, 10 * features.length * (calmMinutes + 1));

    // The new normal: it ends, and whoever takes over knows it. What comes in is followed meanwhile.
    await expectAccepted(third.apiUrl, alerter);
    const resolved = () =>
      posted.filter(({ labels, status }) => labels["feature"] === "draft" && status === "resolved");
    await expect.poll(() => resolved().length, { timeout: 30_000 }).toBe(1);
    expect(resolved()[0]?.annotations["why"]).toContain("accepted as the new normal");
    expect(await third.stop()).toBe(0);
    const fourth = await cluster.start("detector,api");
    const followed = await follow(fourth.apiUrl);
    await send(Date.now(), ["chat", "search", "draft"]);
    await cluster.judged(60_000);
    expect(await followed(10 * features.length)).toEqual(
      Object.fromEntries(features.map((feature) => [feature, { calls: 10, model: "gpt-4o" }])),
    );
    expect(fired("draft")).toHaveLength(1);

    // Graceful ends save; what is read below is then at rest.
    expect(await intake.stop()).toBe(0);
    await cluster.judged(60_000);
    expect([await fourth.stop(), await alerter.stop()]).toEqual([0, 0]);
    expect(await differencesToUndisturbed(cluster)).toEqual({ deltas: [], claims: [], alerts: [] });
  });
});

/** Accepts the alert about `draft`, once; the alerter is killed and started again. */
async function expectAccepted(apiUrl: string, alerter: Burnwatch): Promise<void> {
  const environment = { BURNWATCH_URL: apiUrl };
  const unknown = await burnwatch(["alerts", "accept", "0123456789abcdef"], environment);
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("no alert has the fingerprint")]);
  const shown = JSON.parse((await burnwatch(["alerts", "--json"], environment)).stdout) as {
    alerts: readonly { fingerprint: string; labels: Record<string, string> }[];
  };
  const fingerprint = shown.alerts.find(({ labels }) => labels["feature"] === "draft")?.fingerprint ?? "";
  expect(await burnwatch(["alerts", "accept", fingerprint], environment)).toEqual({
    code: 0,
    stderr: "",
    stdout: "spend_above_baseline  tenant=acme feature=draft: accepted as the new normal, learnt anew from now on\n",
  });
  const again = await burnwatch(["alerts", "accept", fingerprint], environment);
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("is over: there is nothing to accept")]);
  await alerter.kill();
  await alerter.start();
}

/** Follows calls. @returns what waits for so many of them, by feature. */
async function follow(apiUrl: string) {
  const stopping = new AbortController();
  const response = await fetch(`${apiUrl}/api/v1/tail`, { signal: stopping.signal });
  let text = "";
  const reading = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
  })().catch(() => undefined);
  return async (count: number) => {
    await expect.poll(() => text.trim().split("\n").length, { timeout: 30_000 }).toBe(count);
    stopping.abort();
    await reading;
    const calls = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { feature: string; model: string });
    return Object.fromEntries(
      Array.from(
        Map.groupBy(calls, ({ feature }) => feature),
        ([feature, of]) => [feature, { calls: of.length, model: of[0]?.model }],
      ),
    );
  };
}

/** What the API of a cluster tells, and what it says that it cannot. */
async function expectAnswers(apiUrl: string, calls: number): Promise<void> {
  const answer = async (path: string) => {
    const response = await fetch(`${apiUrl}/api/v1/${path}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  await settle(apiUrl);
  const { rows } = (await answer("cost?by=tenant")).body as { rows: Record<string, unknown>[] };
  expect(rows).toMatchObject([{ tenant: "acme", calls }]);
  const { body } = await answer("alerts");
  expect(body).toMatchObject({ completeness: null, unpriced_share: 0 });
  const labels = (body["alerts"] as Posted["alerts"]).map((alert) => alert.labels["feature"]);
  expect(labels.sort()).toEqual(["chat", "draft", "search"]);
  expect((await burnwatch(["alerts"], { BURNWATCH_URL: apiUrl })).stdout).toContain("search of tenant acme");
  const lags = (await answer("status")).body["lag_seconds_by_part"] as Record<string, number>;
  expect(Object.keys(lags)).toEqual([
    "resolver",
    "writer",
    "detector",
    "detector-wholes",
    "alerter",
    "metrics",
    "completeness",
  ]);
  const { status, body: refusal } = await answer("producers/any");
  expect([status, refusal["error"]]).toEqual([
    501,
    expect.objectContaining({ message: expect.stringContaining("counting refusals by producer") }),
  ]);
}
