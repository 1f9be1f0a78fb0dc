/** What the instrumentation costs an application: time added to a call, time of the import, memory over many calls. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath, pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Bench, Cell, Table } from "./bench.ts";
import { median, percentile } from "./statistics.ts";

const warmUpCalls = 500;
const callsPerSide = 8000;
const cpuCalls = 4000;
const importRuns = 15;
const memoryCalls = 1_000_000;
const self = fileURLToPath(import.meta.url);
const packageFolder = fileURLToPath(new URL("../../instrumentation", import.meta.url));

export const instrumentation: Bench = {
  name: "instrumentation",
  summary: "what the one import costs an application: per call, at the start, in memory",
  async run({ progress }) {
    const { child, url } = await startProvider();
    process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = url;
    process.env["BURNWATCH_LOG"] = "off";
    const bare = globalThis.fetch;
    const { start } = await import("../../instrumentation/start.ts");
    const { wrapFetch } = await import("../../instrumentation/index.ts");
    start();
    progress("calls");
    const calls = [
      await compare("whole answer, provider in memory", answerFromMemory, wrapFetch(answerFromMemory), { url }),
      await compare("whole answer, loopback", bare, fetch, { url }),
      await compare("stream of 23 events, loopback", bare, fetch, { url, stream: true }),
    ];
    progress("import");
    const imports = importTable();
    progress(`memory over ${memoryCalls} calls`);
    const memory = await memoryTable();
    child.kill();
    return [callTable(calls), imports, memory];
  },
};

const messages = [
  { role: "system", content: "You are a helpful clerk. ".repeat(40) },
  { role: "user", content: "What is the weather in Oslo?" },
];

interface Request {
  readonly url: string;
  readonly stream?: boolean;
}

/** Bare and watched calls alternate; the added time is the difference of the medians. */
async function compare(name: string, bare: typeof fetch, own: typeof fetch, request: Request): Promise<Cell[]> {
  const url = `${request.url}/v1/chat/completions`;
  const init = { method: "POST", headers: { "content-type": "application/json" } };
  const body = JSON.stringify({ model: "gpt-4o", messages, stream: request.stream === true });
  const timed = async (fetcher: typeof fetch) => {
    const started = performance.now();
    await (await fetcher(url, { ...init, body })).text();
    return (performance.now() - started) * 1000;
  };
  const bareUs: number[] = [];
  const ownUs: number[] = [];
  for (let count = 0; count < warmUpCalls + callsPerSide; count += 1) {
    const bareFirst = count % 2 === 0;
    const first = await timed(bareFirst ? bare : own);
    const second = await timed(bareFirst ? own : bare);
    if (count < warmUpCalls) continue;
    bareUs.push(bareFirst ? first : second);
    ownUs.push(bareFirst ? second : first);
  }
  const cpu = [await cpuOf(() => timed(bare)), await cpuOf(() => timed(own))] as const;
  const [bareP50, ownP50] = [median(bareUs), median(ownUs)];
  return [name, bareP50, ownP50, ownP50 - bareP50, percentile(ownUs, 0.9) - percentile(bareUs, 0.9), cpu[1] - cpu[0]];
}

function callTable(rows: readonly (readonly Cell[])[]): Table {
  const us = (title: string) => ({ title, digits: 1 });
  return {
    title: "time added to a call",
    columns: [
      { title: "call" },
      us("bare us p50"),
      us("watched us p50"),
      us("added p50"),
      us("added p90"),
      us("added CPU us"),
    ],
    rows,
    notes: [
      `${callsPerSide} calls a side, alternating, 1,028 characters of prompt; provider and collector in another process.`,
      "CPU is that of the whole process a call: spans, JSON and sending included.",
    ],
  };
}

/** Processor time of this process a call, threads included: unlike the clock, no neighbour adds to it. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  for (let count = 0; count < cpuCalls; count += 1) await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / cpuCalls;
}

/** A fresh process each time: what the application waits for at its first line, and what loads behind it. */
function importTable(): Table {
  spawnSync(process.execPath, ["build.ts"], { cwd: packageFolder, stdio: "inherit" });
  const importMs = (file: string) => {
    const target = JSON.stringify(`${packageFolder}/dist/${file}`);
    const script = `const started = performance.now(); await import(${target}); console.log(performance.now() - started); process.exit();`;
    const times = Array.from({ length: importRuns }, () =>
      Number(spawnSync(process.execPath, ["--input-type=module", "--eval", script]).stdout.toString().trim()),
    );
    return median(times);
  };
  return {
    title: "import",
    columns: [{ title: "module" }, { title: "ms p50", digits: 1 }],
    rows: [
      ["register (what the application waits for)", importMs("esm/register.js")],
      ["OpenTelemetry SDK and exporter (with the first records)", importMs("esm/delivery/transport.js")],
    ],
    notes: [`Medians of ${importRuns} fresh processes.`],
  };
}

const answer = JSON.stringify({
  id: "chat-1",
  model: "gpt-4o",
  choices: [{ message: { content: "hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 100, completion_tokens: 10 },
});

/** A provider of 0 ms: no socket, no parsing of HTTP, so that the difference is ours alone. */
const answerFromMemory: typeof fetch = async () =>
  new Response(answer, { headers: { "content-type": "application/json" } });

/** The heap after each tenth of a million calls, with a collector that takes everything. */
async function memoryTable(): Promise<Table> {
  const { wrapFetch, stats, flush } = await import("../../instrumentation/index.ts");
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const fetcher = wrapFetch(answerFromMemory);
  const body = JSON.stringify({ model: "gpt-4o", messages });
  const heapMb: number[] = [];
  for (let count = 1; count <= memoryCalls; count += 1) {
    await (await fetcher("http://127.0.0.1/v1/chat/completions", { method: "POST", body })).json();
    // A real call yields to the network; this one would starve the exporter.
    if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (count % (memoryCalls / 10) !== 0) continue;
    await flush(10_000);
    collectGarbage();
    heapMb.push(process.memoryUsage().heapUsed / 1e6);
  }
  const { dropped } = stats();
  return {
    title: `heap over ${memoryCalls} calls`,
    columns: [
      { title: "calls", digits: 0 },
      { title: "heap MB", digits: 1 },
    ],
    rows: heapMb.map((mb, index) => [((index + 1) * memoryCalls) / 10, mb]),
    notes: [`${dropped} records dropped and counted: this loop is faster than one exporter.`],
  };
}

/** Provider and collector in a process of their own; the provider answers at once, the collector takes everything. */
async function startProvider(): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [self, "provider"], { stdio: ["ignore", "pipe", "inherit"] });
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
      const streamed = text.includes('"stream":true');
      response.setHeader("content-type", streamed ? "text/event-stream" : "application/json");
      if (request.url === "/v1/traces") response.end("{}");
      else response.end(streamed ? events.join("") : whole);
    });
  });
  server.listen(0, "127.0.0.1", () => {
    process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href && process.argv[2] === "provider") serveProvider();
