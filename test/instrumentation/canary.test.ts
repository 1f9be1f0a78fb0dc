/**
 * A secret in eight places of real calls, through the instrumentation, a server and a fired alert: found in none of
 * spans, logs, files, tables, webhooks and answers. The calls themselves are what the alert is about.
 */

import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FakeProvider, startFakeProvider } from "../../instrumentation/testing/fake-provider.ts";
import { type Ran, runNode } from "../../instrumentation/testing/run-node.ts";
import { type Burnwatch, burnwatch as command, settle, sql, startBurnwatch } from "../support/burnwatch.ts";

const packageFolder = fileURLToPath(new URL("../../instrumentation/", import.meta.url));
/** Each place has a secret of its own, so that a find names it; all begin alike. */
const canary = "CANARY-51c0ffee";
const places = ["prompt", "tool-argument", "tool-result", "header", "path", "query", "key", "error-message"] as const;
const secret = (place: (typeof places)[number]) => `${canary}-${place}`;

/** Passes on what the application exports, and keeps it: what left the process, before the server could drop anything. */
let exported = "";
let burnwatch: Burnwatch;
let provider: FakeProvider;
let ran: Ran;
const posted: string[] = [];

const webhook = createServer((request, response) => {
  let text = "";
  request.on("data", (bytes) => (text += String(bytes)));
  request.on("end", () => {
    posted.push(text);
    response.end();
  });
});
const relay = createServer((request, response) => {
  let text = "";
  request.on("data", (bytes) => (text += String(bytes)));
  request.on("end", async () => {
    exported += text;
    const headers = { "content-type": String(request.headers["content-type"]) };
    const answer = await fetch(burnwatch.tracesUrl, { method: "POST", headers, body: text });
    response.writeHead(answer.status).end(await answer.text());
  });
});

const application = `
import "./register.ts";
import { withAttribution } from "./index.ts";
import OpenAI from "openai-7";
import OpenAI4 from "openai-4";
const text = (scenario) => "${secret("prompt")} scenario=" + scenario;
const past = [
  { role: "assistant", tool_calls: [{ id: "call-1", type: "function", function: { name: "look", arguments: '{"q":"${secret("tool-argument")}"}' } }] },
  { role: "tool", tool_call_id: "call-1", content: "${secret("tool-result")}" },
];
for (const Client of [OpenAI, OpenAI4]) {
  const client = new Client({ apiKey: "${secret("key")}", baseURL: process.env.PROVIDER + "/${secret("path")}/v1", maxRetries: 0,
    defaultHeaders: { "x-note": "${secret("header")}" }, defaultQuery: { note: "${secret("query")}" } });
  await withAttribution({ tenant: "acme", feature: "chat", user: "ada-lovelace" }, async () => {
    const ask = (scenario, stream) => client.chat.completions.create({ model: "gpt-4o", stream, messages: [{ role: "user", content: text(scenario) }, ...past] });
    for (let count = 0; count < 5; count += 1) await ask("", false);
    for await (const _ of await ask("", true));
    await ask("tools", false);
    // The provider puts the request into its message.
    await ask("error400 ${secret("error-message")}", false).catch((error) => console.log(String(error)));
  });
}
`;

beforeAll(async () => {
  provider = await startFakeProvider();
  for (const server of [webhook, relay]) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = (server: typeof relay) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // At a thousand times the list price a dozen calls are worth a page.
  const prices = join(mkdtempSync(join(tmpdir(), "burnwatch-canary-")), "prices.yaml");
  writeFileSync(
    prices,
    "prices:\n  - { model: gpt-4o*, provider: openai, per_million: { input: 2500, output: 10000 } }\n",
  );
  burnwatch = await startBurnwatch({ environment: { BURNWATCH_WEBHOOK: url(webhook), BURNWATCH_PRICES: prices } });
  await sendCalmHour();
  const env = { PROVIDER: provider.url, OTEL_EXPORTER_OTLP_ENDPOINT: url(relay), OTEL_SERVICE_NAME: "shop" };
  ran = await runNode(["--input-type=module", "--eval", application], { cwd: packageFolder, env });
  await settle(burnwatch.apiUrl);
}, 120_000);
afterAll(async () => {
  await provider.close();
  for (const server of [webhook, relay]) server.close();
  await burnwatch.remove();
});

/** An hour of the same series at a quarter of a dollar a minute, so that the application's calls stand out. */
async function sendCalmHour(): Promise<void> {
  const attribute = (key: string, value: object) => ({ key, value });
  const spans = Array.from({ length: 60 }, (_, minute) => {
    const endMs = Date.now() - (60 - minute) * 60_000;
    return {
      traceId: randomBytes(16).toString("hex"),
      spanId: randomBytes(8).toString("hex"),
      name: "chat gpt-4o",
      kind: 3,
      startTimeUnixNano: `${endMs - 500}000000`,
      endTimeUnixNano: `${endMs}000000`,
      attributes: [
        attribute("gen_ai.operation.name", { stringValue: "chat" }),
        attribute("gen_ai.provider.name", { stringValue: "openai" }),
        attribute("gen_ai.request.model", { stringValue: "gpt-4o" }),
        attribute("gen_ai.usage.input_tokens", { intValue: "100" }),
        attribute("gen_ai.usage.output_tokens", { intValue: "0" }),
        attribute("burnwatch.tenant", { stringValue: "acme" }),
        attribute("burnwatch.feature", { stringValue: "chat" }),
      ],
    };
  });
  const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
  const answer = await fetch(burnwatch.tracesUrl, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  if (!answer.ok) throw new Error(await answer.text());
  await settle(burnwatch.apiUrl);
}

describe("a secret in eight places of a request", () => {
  it("reached the provider from every one of them, and the application in the error message", () => {
    const sent = JSON.stringify([provider.truths, provider.received]);
    expect(places.filter((place) => !sent.includes(secret(place)))).toEqual([]);
    expect(ran.stdout).toContain(secret("error-message"));
    expect(provider.truths.length).toBe(16);
  });

  it("is in no span that leaves the process and in no line it logs", () => {
    expect(exported).toContain("gen_ai.usage.input_tokens");
    expect(exported).toContain("burnwatch.tool.args_hash");
    expect(exported).not.toContain(canary);
    expect(ran.stderr).toContain("guard inert");
    expect(ran.stderr).not.toContain(canary);
  });

  it("is in no alert that these calls fired: webhook, `burnwatch alerts --json`, the API", {
    timeout: 60_000,
  }, async () => {
    const firing = () => posted.filter((text) => text.includes('"firing"'));
    for (const deadline = Date.now() + 30_000; firing().length === 0 && Date.now() < deadline; )
      await new Promise((resolve) => setTimeout(resolve, 100));
    const [body = "{}"] = firing();
    const { alerts } = JSON.parse(body) as { alerts: { labels: Record<string, string> }[] };
    expect(alerts[0]?.labels).toMatchObject({ tenant: "acme", feature: "chat" });
    const listed = await command(["alerts", "--json"], { BURNWATCH_URL: burnwatch.apiUrl });
    const found = (JSON.parse(listed.stdout) as { alerts: { status: string; labels: Record<string, string> }[] })
      .alerts;
    expect(found.map(({ labels }) => labels["tenant"])).toContain("acme");
    const answered = await (await fetch(`${burnwatch.apiUrl}/api/v1/alerts`)).text();
    for (const text of [...posted, listed.stdout, listed.stderr, answered]) expect(text).not.toContain(canary);
  });

  it("is in no table", async () => {
    const names = await sql<{ name: string }>(burnwatch.apiUrl, "SHOW TABLES");
    expect(names.map(({ name }) => name)).toEqual(expect.arrayContaining(["usage_records", "usage"]));
    const found: string[] = [];
    for (const { name } of names) {
      const rows = await sql(burnwatch.apiUrl, `SELECT * FROM ${name}`);
      if (name === "usage_records") expect(rows.length).toBe(76);
      if (JSON.stringify(rows).includes(canary)) found.push(name);
    }
    expect(found).toEqual([]);
  });

  it("is in no file that the server keeps and in nothing it wrote", async () => {
    expect(burnwatch.output()).not.toContain(canary);
    await burnwatch.stop();
    const files = readdirSync(burnwatch.directory, { recursive: true, encoding: "utf8" })
      .map((name) => join(burnwatch.directory, name))
      .filter((path) => statSync(path).isFile());
    expect(files.filter((path) => readFileSync(path).includes(canary))).toEqual([]);
    // The same search finds what is there, so that it would find the secret.
    expect(files.some((path) => path.includes("mdb") && readFileSync(path).includes("ada-lovelace"))).toBe(true);
    expect(burnwatch.output()).not.toContain(canary);
  });
});
