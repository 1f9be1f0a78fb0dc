/** The way in without a registry: the server offers the package, and an empty folder can install and use it. */

import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Burnwatch, settle, sql, startBurnwatch } from "./support/burnwatch.ts";

const execute = promisify(execFile);
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "burnwatch-app-"));
let server: Burnwatch;
beforeAll(async () => {
  server = await startBurnwatch();
});
afterAll(async () => {
  await server.remove();
  rmSync(directory, { recursive: true, force: true });
});

it("npm i URL/instrumentation.tgz in an empty folder, one import, and a call is priced, stored and shown by tail", {
  timeout: 180_000,
}, async () => {
  writeFileSync(join(directory, "package.json"), '{"name":"app","version":"1.0.0","type":"module"}');
  await execute("npm", ["install", "--no-audit", "--no-fund", `${server.apiUrl}/instrumentation.tgz`], {
    cwd: directory,
  });
  writeFileSync(
    join(directory, "app.js"),
    `import "@burnwatch/instrumentation/register";
import { createServer } from "node:http";
const provider = createServer((request, response) => {
  request.resume();
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ id: "chatcmpl-1", object: "chat.completion", model: "gpt-4o", choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "hi" } }], usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 } }));
});
provider.listen(0, "127.0.0.1", async () => {
  const url = \`http://127.0.0.1:\${provider.address().port}/v1/chat/completions\`;
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "canary" }] }) });
  await answer.json();
  provider.close();
});
`,
  );
  const tail = spawn(process.execPath, [main, "tail", "--json"], {
    env: { ...process.env, BURNWATCH_URL: server.apiUrl },
  });
  let tailed = "";
  tail.stdout.on("data", (data) => (tailed += String(data)));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const { stderr, stdout } = await execute(process.execPath, ["app.js"], {
    cwd: directory,
    env: {
      ...process.env,
      OTEL_SERVICE_NAME: "app",
      OTEL_EXPORTER_OTLP_ENDPOINT: server.otlpUrl,
      BURNWATCH_HOSTS: "127.0.0.1",
    },
  });
  await settle(server.apiUrl);
  while (!tailed.includes("\n")) await new Promise((resolve) => setTimeout(resolve, 20));
  tail.kill("SIGINT");
  expect(JSON.parse(tailed.split("\n")[0] ?? "")).toMatchObject({
    service: "app",
    model: "gpt-4o",
    cost_usd: "0.003500000",
  });
  const rows = await sql(
    server.apiUrl,
    "SELECT service, model, calls, input_tokens, toString(cost_usd) AS usd FROM usage",
  );
  expect([rows, stdout, stderr.includes("guard inert")]).toEqual([
    [{ service: "app", model: "gpt-4o", calls: 1, input_tokens: 1000, usd: "0.0035" }],
    "",
    true,
  ]);
});
