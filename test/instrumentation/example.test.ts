/** The example as its README line starts it, beside a running Burnwatch, asked as a user asks. */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildOnce } from "../../instrumentation/testing/build-once.ts";
import { type Burnwatch, burnwatch as command, settle, startBurnwatch } from "../support/burnwatch.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let burnwatch: Burnwatch;

beforeAll(async () => {
  buildOnce();
  burnwatch = await startBurnwatch();
});
afterAll(() => burnwatch.remove());

it("`npm start` in examples/express-chat, and `burnwatch cost --by feature,user` shows its calls", {
  timeout: 180_000,
}, async () => {
  const { OPENAI_API_KEY: _, ...inherited } = process.env;
  const example = spawn("npm", ["start", "--prefix", "instrumentation/examples/express-chat", "--", "--once"], {
    cwd: root,
    env: { ...inherited, OTEL_EXPORTER_OTLP_ENDPOINT: burnwatch.otlpUrl },
  });
  let output = "";
  for (const stream of [example.stdout, example.stderr]) stream.on("data", (bytes) => (output += String(bytes)));
  const code = await new Promise((resolve) => example.once("close", resolve));
  expect([code, output]).toEqual([0, expect.stringContaining("12 calls made")]);
  await settle(burnwatch.apiUrl);
  const asked = await command(["cost", "--by", "feature,user", "--json"], { BURNWATCH_URL: burnwatch.apiUrl });
  const { rows, completeness } = JSON.parse(asked.stdout) as {
    rows: { feature: string; user: string; calls: number; input_tokens: number; cost_usd: string | null }[];
    completeness: number;
  };
  expect(rows.map(({ feature, user, calls }) => [feature, user, calls]).sort()).toEqual([
    ["chat", "ada", 3],
    ["chat", "grace", 3],
    ["chat", "linus", 3],
    ["search", "ada", 1],
    ["search", "grace", 1],
    ["search", "linus", 1],
  ]);
  expect(rows.every((row) => row.input_tokens > 0 && Number(row.cost_usd) > 0)).toBe(true);
  expect(completeness).toBe(1);
  // The table that a person reads says the same.
  const shown = await command(["cost", "--by", "feature,user"], { BURNWATCH_URL: burnwatch.apiUrl });
  expect(shown.stdout).toMatch(/chat\s.*ada/);
});
