/** `burnwatch serve`: runs the server until it is told to stop, and, with --demo, shows it an incident in a real trace. */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { pino } from "pino";
import pretty from "pino-pretty";
import { type Config, ConfigError, configHelp, readConfig } from "./config.ts";
import type { Command, CommandIo } from "./console/command.ts";
import { nearestName } from "./model/nearest-name.ts";
import { type RunningServer, startServer } from "./server.ts";

const sourceDirectory = fileURLToPath(new URL(".", import.meta.url));
const packageFile = new URL("../package.json", import.meta.url);
const demoTraces = ["AzureLLMInferenceTrace_code.csv.gz", "AzureLLMInferenceTrace_conv.csv.gz"];
const defaultIncident = "token-shift";

const optionNames = {
  config: { type: "string" },
  data: { type: "string" },
  demo: { type: "boolean" },
  incident: { type: "string" },
  salt: { type: "string" },
} as const;

interface ServeWords {
  readonly config?: string;
  readonly data?: string;
  readonly demo?: boolean;
  readonly incident?: string;
  readonly salt?: string;
}

export const serveCommand: Command = {
  name: "serve",
  summary: "run the collector, the store, the detector and the API in this process",
  help: help(),
  run: serve,
};

async function serve(words: readonly string[], io: CommandIo): Promise<number> {
  const fail = (message: string, code: number) => {
    io.stderr.write(`burnwatch: ${message}\n`);
    return code;
  };
  let asked: ServeWords;
  let config: Config;
  try {
    asked = parseWords(words);
    config = configOf(asked, io);
  } catch (error) {
    return fail((error as Error).message, 2);
  }
  if (asked.demo === true && asked.data === undefined) rmSync(config.data, { recursive: true, force: true });
  const log = logger(config, io);
  const version = (JSON.parse(readFileSync(packageFile, "utf8")) as { version: string }).version;
  let server: RunningServer;
  try {
    server = await startServer({
      config,
      log,
      version,
      terminal: io.stdout,
      colours: isTerminal(io) && io.environment["NO_COLOR"] === undefined,
    });
  } catch (error) {
    return fail((error as Error).message, 1);
  }
  const stopped = untilStopped(server);
  io.stdout.write(banner(config, server));
  if (asked.demo === true) {
    // The demo's own trouble must not end the server: it says what went wrong and the server stays to be looked at.
    demo(asked, config, server, io).catch((error: Error) => io.stderr.write(`burnwatch: demo: ${error.message}\n`));
  }
  const reason = await stopped;
  log.info({ reason }, "stopping: delivering what was begun");
  await server.stop();
  log.info("stopped");
  log.flush();
  return reason.startsWith("SIG") ? 0 : 1;
}

function parseWords(words: readonly string[]): ServeWords {
  for (const word of words) {
    const name = /^--([^=]+)/.exec(word)?.[1];
    if (name === undefined || Object.hasOwn(optionNames, name)) continue;
    const nearest = nearestName(name, Object.keys(optionNames));
    throw new ConfigError(
      `serve: no option --${name}${nearest === undefined ? "" : `, did you mean --${nearest}?`} See burnwatch serve --help`,
    );
  }
  const { values } = parseArgs({ args: [...words], options: optionNames, strict: true });
  const { incident } = values;
  if (incident !== undefined && !incidents().includes(incident)) {
    throw new ConfigError(`serve: no incident "${incident}"; there are ${incidents().join(", ")}`);
  }
  return values;
}

function configOf(asked: ServeWords, io: CommandIo): Config {
  const config = readConfig(asked.config, io.environment);
  if (asked.data !== undefined) return { ...config, data: asked.data };
  // A demo replays the last hour: in a directory with older demos that hour would be a repeat.
  return asked.demo === true ? { ...config, data: join(config.data, "demo") } : config;
}

function logger(config: Config, io: CommandIo) {
  const human = (io.stdout as { isTTY?: boolean }).isTTY === true;
  const stream = human
    ? pretty({ destination: 2, ignore: "pid,hostname", colorize: true, sync: true })
    : pino.destination({ dest: 2, sync: true });
  return pino({ level: config.logLevel, redact: ["password", "token", "authorization"] }, stream);
}

function isTerminal(io: CommandIo): boolean {
  return (io.stdout as { isTTY?: boolean }).isTTY === true;
}

/** Resolves with the first reason to stop; a second signal ends the process at once. */
function untilStopped(server: RunningServer): Promise<string> {
  return new Promise((resolve) => {
    const signals: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
    for (const signal of signals) {
      process.on(signal, () => {
        for (const each of signals) process.on(each, () => process.kill(process.pid, "SIGKILL"));
        resolve(signal);
      });
    }
    server.failed.catch((error: Error) => resolve(`a worker failed: ${error.message}`));
  });
}

function banner(config: Config, { otlpPort, apiPort }: RunningServer): string {
  const lines = [
    otlpPort === null ? "" : `  send   OTLP/HTTP to http://127.0.0.1:${otlpPort}/v1/traces`,
    apiPort === null
      ? ""
      : "  ask    npm run -s burnwatch -- cost --by model,feature   (or: tail, alerts, sql, doctor)",
    apiPort === null ? "" : `  look   http://127.0.0.1:${apiPort}/metrics, /readyz, /api/v1/openapi.json`,
    `  kept   in ${config.data}: calls for ${config.rawRetentionDays} days, 15-minute sums for ${config.rollupRetentionMonths} months`,
    config.webhook === null
      ? "  alerts on this terminal; BURNWATCH_WEBHOOK=URL posts them too"
      : "  alerts on this terminal and to the webhook",
  ];
  return `burnwatch is ready\n${lines.filter((line) => line !== "").join("\n")}\n`;
}

/** Replays two hours of real requests as the last hour of the tenant `demo`, the second with an incident near its end. */
async function demo(asked: ServeWords, config: Config, server: RunningServer, io: CommandIo): Promise<void> {
  const incident = asked.incident ?? defaultIncident;
  const salt = asked.salt ?? randomBytes(4).toString("hex");
  io.stdout.write(
    `demo: replaying an hour of real requests of two services as tenant "demo" (salt ${salt}); in the last ten minutes of the second: ${incident}\n`,
  );
  for (const [index, trace] of demoTraces.entries()) {
    const last = index === demoTraces.length - 1;
    const injected = last ? ["--inject", join(sourceDirectory, "replay", "incidents", `${incident}.yaml`)] : [];
    const words = [
      "replay",
      join(sourceDirectory, "replay", "data", trace),
      "--tenant",
      "demo",
      "--salt",
      salt,
      "--speed",
      "max",
      ...injected,
    ];
    const code = await runSelf(words, {
      ...io.environment,
      BURNWATCH_URL: `http://127.0.0.1:${server.apiPort}`,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${server.otlpPort}/v1/traces`,
    });
    if (code !== 0) throw new Error(`replay of ${trace} ended with code ${code}`);
  }
  const api =
    server.apiPort === config.api?.port && config.api.port === 4319
      ? ""
      : `BURNWATCH_URL=http://127.0.0.1:${server.apiPort} `;
  io.stdout.write(
    `demo: done. In another terminal:\n  ${api}npm run -s burnwatch -- alerts\n  ${api}npm run -s burnwatch -- cost --by model,feature\n`,
  );
}

function runSelf(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...process.execArgv, join(sourceDirectory, "main.ts"), ...words], {
      stdio: "inherit",
      env: environment,
    });
    child.on("error", () => resolve(1));
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

function incidents(): readonly string[] {
  return readdirSync(join(sourceDirectory, "replay", "incidents"))
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length));
}

function help(): string {
  const rows = configHelp();
  const width = Math.max(...rows.map(([path]) => path.length));
  const variableWidth = Math.max(...rows.map(([, variable]) => variable.length));
  const keys = rows.map(
    ([path, variable, value, doc]) =>
      `  ${path.padEnd(width)}  ${variable.padEnd(variableWidth)}  ${doc}${value === "" ? "" : ` (${value})`}`,
  );
  return `burnwatch serve [--config FILE] [--data DIR] [--demo [--incident KIND] [--salt TEXT]]

Runs the collector, the store, the detector and the API in this process.

  --config FILE    YAML with the keys below
  --data DIR       where logs and tables are kept
  --demo           also replays an hour of real requests with an incident in it, in a directory of its own
  --incident KIND  which one: ${incidents().join(", ")} (${defaultIncident})
  --salt TEXT      other record ids for the demo

Keys of the configuration, with the environment variable that overrides each, and its default:
${keys.join("\n")}

Examples:
  npm start
  npm start -- --demo --incident loop
  BURNWATCH_WEBHOOK=http://127.0.0.1:9000/hook npm start
`;
}
