/** What the instrumentation costs an application: time added to a call, time of the import, memory over many calls. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath, pathToFileURL } from "node:url";

const callsPerSide = 8000;
const cpuCalls = 4000;
const importRuns = 15;
const memoryCalls = Number(process.env["BURNWATCH_BENCH_CALLS"] ?? 1_000_000);
const packageFolder = fileURLToPath(new URL("../../instrumentation", import.meta.url));

type Row = Record<string, string | number>;

/**
 * Bare and watched calls alternate against a provider in another process that answers at once; `added_us_p50` is the
 * difference of medians. CPU is that of the whole process, exporting included.
 */
export async function benchInstrumentation(): Promise<{ rows: Row[] }> {
  const { child, url } = await startProvider();
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = url;
  process.env["BURNWATCH_LOG"] = "off";
  const bare = globalThis.fetch;
  const { start } = await import("../../instrumentation/start.ts");
  start();
  const rows = [
    await compare("chat, whole", bare, `${url}/v1/chat/completions`, { stream: false }),
    await compare("chat, streamed", bare, `${url}/v1/chat/completions`, { stream: true }),
    importTime(),
    await memory(),
  ];
  child.kill();
  return { rows };
}

const messages = [
  { role: "system", content: "You are a helpful clerk. ".repeat(40) },
  { role: "user", content: "What is the weather in Oslo?" },
];

async function compare(name: string, bare: typeof fetch, url: string, extra: object): Promise<Row> {
  const init = { method: "POST", headers: { "content-type": "application/json" } };
  const body = JSON.stringify({ model: "gpt-4o", messages, ...extra });
  const timed = async (fetcher: typeof fetch) => {
    const started = performance.now();
    await (await fetcher(url, { ...init, body })).text();
    return (performance.now() - started) * 1000;
  };
  const sides: readonly [number[], number[]] = [[], []];
  for (let count = 0; count < callsPerSide + 500; count += 1) {
    const [first, second] = count % 2 === 0 ? [bare, fetch] : [fetch, bare];
    const [a, b] = [await timed(first), await timed(second)];
    if (count < 500) continue;
    sides[0].push(count % 2 === 0 ? a : b);
    sides[1].push(count % 2 === 0 ? b : a);
  }
  const cpu = [await cpuOf(() => timed(bare)), await cpuOf(() => timed(fetch))] as const;
  const [bareSide, watched] = sides.map((side) => side.sort((left, right) => left - right)) as [number[], number[]];
  const at = (side: number[], quantile: number) => side[Math.floor(side.length * quantile)] ?? 0;
  return {
    what: name,
    bare_us_p50: round(at(bareSide, 0.5)),
    watched_us_p50: round(at(watched, 0.5)),
    added_us_p50: round(at(watched, 0.5) - at(bareSide, 0.5)),
    added_us_p90: round(at(watched, 0.9) - at(bareSide, 0.9)),
    added_cpu_us: round(cpu[1] - cpu[0]),
  };
}

/** Processor time of this process a call, threads and exporting included: unlike the clock, no neighbour adds to it. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  for (let count = 0; count < cpuCalls; count += 1) await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / cpuCalls;
}

/** A fresh process each time: what the application waits for at its first line. */
function importTime(): Row {
  const script = (target: string) =>
    `const started = performance.now(); await import(${JSON.stringify(target)}); console.log(performance.now() - started); process.exit();`;
  const median = (target: string) => {
    const times = Array.from({ length: importRuns }, () => {
      const parameters = ["--input-type=module", "--eval", script(target)];
      const env = { ...process.env, BURNWATCH_LOG: "off" };
      return Number(spawnSync(process.execPath, parameters, { env }).stdout.toString().trim());
    });
    return round(times.sort((left, right) => left - right)[Math.floor(importRuns / 2)] ?? 0);
  };
  spawnSync(process.execPath, ["build.ts"], { cwd: packageFolder, stdio: "inherit" });
  return {
    what: "import",
    register_ms_p50: median(`${packageFolder}/dist/esm/register.js`),
    sdk_in_background_ms_p50: median(`${packageFolder}/dist/esm/delivery/transport.js`),
  };
}

/** Calls over a `fetch` that answers from memory, with a collector that takes everything. */
async function memory(): Promise<Row> {
  const { wrapFetch, stats, flush } = await import("../../instrumentation/index.ts");
  const answer = JSON.stringify({
    id: "chat-1",
    model: "gpt-4o",
    choices: [{ message: { content: "hi" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 100, completion_tokens: 10 },
  });
  const headers = { "content-type": "application/json" };
  const fetcher = wrapFetch(async () => new Response(answer, { headers }));
  const body = JSON.stringify({ model: "gpt-4o", messages });
  const heapMb: number[] = [];
  const started = performance.now();
  for (let count = 1; count <= memoryCalls; count += 1) {
    await (await fetcher("http://127.0.0.1/v1/chat/completions", { method: "POST", body })).json();
    // A real call yields to the network; this one would starve the exporter.
    if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (count % (memoryCalls / 10) === 0) {
      await flush(10_000);
      globalThis.gc?.();
      heapMb.push(round(process.memoryUsage().heapUsed / 1e6));
    }
  }
  const us = ((performance.now() - started) * 1000) / memoryCalls;
  const { dropped, delivered } = stats();
  return {
    what: `memory over ${memoryCalls} calls`,
    heap_mb_after_each_tenth: heapMb.join(" "),
    all_cpu_us_per_call: round(us),
    delivered,
    dropped,
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Provider and collector in a process of their own; the provider answers at once, the collector takes everything. */
async function startProvider(): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "provider"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await new Promise<string>((resolve) => child.stdout.once("data", (line) => resolve(String(line).trim())));
  return { child, url };
}

function serveProvider(): void {
  const usage = { prompt_tokens: 1200, completion_tokens: 40, prompt_tokens_details: { cached_tokens: 1024 } };
  const whole = JSON.stringify({
    id: "chat-1",
    model: "gpt-4o",
    choices: [{ index: 0, message: { role: "assistant", content: "Cold." }, finish_reason: "stop" }],
    usage,
  });
  const chunk = (choices: object[], extra: object) =>
    `data: ${JSON.stringify({ id: "chat-1", model: "gpt-4o", choices, ...extra })}\n\n`;
  const events = [
    ...Array.from({ length: 20 }, () => chunk([{ index: 0, delta: { content: "Cold " }, finish_reason: null }], {})),
    chunk([{ index: 0, delta: {}, finish_reason: "stop" }], {}),
    chunk([], { usage }),
    "data: [DONE]\n\n",
  ];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (bytes) => {
      text += String(bytes);
    });
    request.on("end", () => {
      if (request.url === "/v1/traces") {
        response.end("{}");
        return;
      }
      const streamed = text.includes('"stream":true');
      response.setHeader("content-type", streamed ? "text/event-stream" : "application/json");
      response.end(streamed ? events.join("") : whole);
    });
  });
  server.listen(0, "127.0.0.1", () => {
    process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  if (process.argv[2] === "provider") serveProvider();
  else {
    const { rows } = await benchInstrumentation();
    for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
    process.exit();
  }
}
