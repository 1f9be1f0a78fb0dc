import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildOnce } from "./testing/build-once.ts";
import { type FakeProvider, startFakeProvider } from "./testing/fake-provider.ts";
import { type OtlpReceiver, startOtlpReceiver } from "./testing/otlp-receiver.ts";
import { readmeRecipe } from "./testing/readme-recipe.ts";
import { runNode } from "./testing/run-node.ts";

const folder = join(import.meta.dirname, "dist", "recipes");
let provider: FakeProvider;
let receiver: OtlpReceiver;

beforeAll(async () => {
  buildOnce();
  mkdirSync(folder, { recursive: true });
  provider = await startFakeProvider();
  receiver = await startOtlpReceiver();
});
afterAll(async () => {
  await provider.close();
  await receiver.close();
});

const callModel = `
const callModel = () => fetch(process.env.PROVIDER + "/v1/chat/completions", {
  method: "POST", body: JSON.stringify({ model: "gpt-4o", messages: [] }),
}).then((response) => response.json());`;
const visit = `
const visit = (port) => Promise.all(["ada", "grace"].map((user) =>
  fetch("http://127.0.0.1:" + port + "/chat", { headers: { "x-tenant": "acme", "x-user": user } }).then((r) => r.text())));`;

async function attributionsOf(files: Record<string, string>, entry: string) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const before = receiver.spans.length;
  const env = { PROVIDER: provider.url, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
  const ran = await runNode([join(folder, entry)], { env });
  expect(ran.stderr).not.toContain("Error");
  const calls = receiver.spans.slice(before).filter((span) => span.name.startsWith("chat"));
  return calls
    .map(({ attributes }) => [attributes["burnwatch.tenant"], attributes["user.id"], attributes["burnwatch.feature"]])
    .sort();
}

it("Express: each request's calls bear its tenant, user and path", async () => {
  const tail = `app.get("/chat", async (_request, response) => { await callModel(); response.end(); });
    const server = app.listen(0, async () => { await visit(server.address().port); server.close(); server.closeAllConnections(); });`;
  const files = { "express.mjs": `${readmeRecipe("express")}${callModel}${visit}${tail}` };
  expect(await attributionsOf(files, "express.mjs")).toEqual([
    ["acme", "ada", "/chat"],
    ["acme", "grace", "/chat"],
  ]);
});

it("Fastify: each request's calls bear its tenant, user and route", async () => {
  const tail = `app.get("/chat", async () => { await callModel(); return "ok"; });
    await app.listen({ port: 0 }); await visit(app.server.address().port); await app.close();`;
  const files = { "fastify.mjs": `${readmeRecipe("fastify")}${callModel}${visit}${tail}` };
  expect(await attributionsOf(files, "fastify.mjs")).toEqual([
    ["acme", "ada", "/chat"],
    ["acme", "grace", "/chat"],
  ]);
});
