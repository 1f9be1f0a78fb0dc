import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { webhookChannel } from "../channels/webhook.ts";
import { LmdbUsageLog } from "../event-log/lmdb-usage-log.ts";
import type { Finding } from "../model/finding.ts";
import { Alerter, type DeliveryEvent } from "./alerter.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-alerter-"));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const firing: Finding = {
  detector: "spend-per-minute",
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
    const alerter = new Alerter({ usage, channels, observe: (event) => events.push(event) });
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
