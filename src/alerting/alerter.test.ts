import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { SpendTable } from "../../detectors/cause/spend-table.ts";
import { webhookChannel } from "../channels/webhook.ts";
import { LmdbUsageLog } from "../event-log/lmdb-usage-log.ts";
import type { Alert, Finding } from "../model/finding.ts";
import { Alerter, type DeliveryEvent } from "./alerter.ts";
import type { StoredSpend } from "./find-cause.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-alerter-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const firing: Finding = {
  detector: "spend",
  kind: "spend_above_baseline",
  series: { tenant: "acme" },
  severity: "page",
  status: "firing",
  atMs: 1000,
  onsetMs: 0,
  unit: "nano_usd_per_minute",
  observed: 2e9,
  expected: 1e9,
  direction: "up",
  effect: "spend is 2.0x the usual",
  confidence: 0.99,
  impactNanoUsdPerHour: 60e9,
  traceIds: [],
  folded: [],
  impactNanoUsd: 1e9,
  evidence: {},
};

const emptyStore: StoredSpend = {
  change: async () => new SpendTable(),
  lastCallMs: async () => null,
  holds: () => true,
};

/** How long a page may wait for its cause; a crowded machine adds to it. */
const patienceMsMax = 5000;

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
}

it("posts to a real receiver until it answers, once each, also over a restart; and gives up on a refusal", async () => {
  const answers = [500, 429, 200, 200, 400];
  const posted: { status: string; code: number }[] = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const code = answers[posted.length] ?? 200;
    posted.push({ status: (JSON.parse(body) as { status: string }).status, code });
    response.writeHead(code).end();
  });
  await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
  const address = receiver.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/hook`;
  const usage = new LmdbUsageLog({ directory, identities: { horizonMs: 1000, entriesMax: 100 } });
  const events: DeliveryEvent[] = [];
  const start = () => {
    const channels = [webhookChannel({ url, externalUrl: "http://127.0.0.1:4319" })];
    const alerter = new Alerter({ marks: usage, channels, store: emptyStore, observe: (event) => events.push(event) });
    alerter.start();
    return alerter;
  };

  const first = start();
  await first.report([firing], 1);
  await until(() => posted.length === 1);
  await first.stop();
  const second = start();
  await until(() => posted.length === 3);
  await second.report([{ ...firing, status: "resolved", atMs: 9000 }], 2);
  await until(() => posted.length === 4);
  await second.report([{ ...firing, atMs: 20_000, onsetMs: 15_000 }], 3);
  await until(() => events.some((event) => event.kind === "failed" && event.retryInMs === null));
  await second.stop();
  expect(posted).toEqual([
    { status: "firing", code: 500 },
    { status: "firing", code: 429 },
    { status: "firing", code: 200 },
    { status: "resolved", code: 200 },
    { status: "firing", code: 400 },
  ]);
  await usage.close();
  receiver.close();
}, 30_000);

it("pages with its cause; without one when the store is late, behind or broken, and says so; a late cause is shown when it comes", async () => {
  const answered = Promise.withResolvers<null>();
  const stores: readonly StoredSpend[] = [
    { ...emptyStore, lastCallMs: () => answered.promise },
    { ...emptyStore, holds: () => false },
    { ...emptyStore, lastCallMs: () => Promise.reject(new Error("Code: 241. Memory limit exceeded")) },
    { ...emptyStore, lastCallMs: async (_, { fromMs }) => fromMs },
  ];
  const told: Alert[] = [];
  const shown: string[] = [];
  for (const [index, store] of stores.entries()) {
    const own = join(directory, `log-${index}`);
    const usage = new LmdbUsageLog({ directory: own, identities: { horizonMs: 1000, entriesMax: 100 } });
    const channel = { name: "list", notify: async (alert: Alert) => void told.push(alert) };
    const alerter = new Alerter({ marks: usage, channels: [channel], store, observe: () => undefined });
    alerter.start();
    const startedAtMs = performance.now();
    await alerter.report([firing], 1);
    await until(() => told.length === index + 1);
    expect(performance.now() - startedAtMs).toBeLessThan(patienceMsMax);
    if (index === 0) {
      answered.resolve(null);
      const causeOf = () => alerter.alerts()[0]?.annotations["cause"] ?? "";
      await until(() => causeOf() !== told[0]?.annotations["cause"]);
      shown.push(causeOf());
    }
    await alerter.stop();
    await usage.close();
  }
  expect(told.map(({ annotations }) => annotations["cause"])).toEqual([
    "not known: the store had not answered after 1 s",
    "not known: the store had not answered after 1 s",
    "not known: the store answered: Code: 241. Memory limit exceeded",
    "$0/h: no change",
  ]);
  expect(shown).toEqual(["not known: the store has no calls of it since its onset"]);
}, 30_000);
