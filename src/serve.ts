/** `burnwatch serve`: runs the server until it is told to stop, and, with --demo, shows it an incident in a real trace. */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import pretty from "pino-pretty";
import { kafkaAddressOf } from "./cluster/kafka-address.ts";
import { type Role, type RunningRoles, roleSummaries, rolesOf, startRoles } from "./cluster/roles.ts";
import { type Config, configHelp } from "./config.ts";
import { type CommandIo, defineCommand, UsageError } from "./console/command.ts";
import { refusing, usableConfig } from "./refused-config.ts";
import { startAgainCode } from "./runtime.mjs";
import { openStore, type RunningServer, startServer } from "./server.ts";

const sourceDirectory = fileURLToPath(new URL(".", import.meta.url));
const packageFile = new URL("../package.json", import.meta.url);
const demoTraces = ["AzureLLMInferenceTrace_code.csv.gz", "AzureLLMInferenceTrace_conv.csv.gz"];
const defaultIncident = "token-shift";

/** `burnwatch serve`. */
export const serve = defineCommand({
  name: "serve",
  summary: "Run the collector, the store, the detector and the API in this process.",
  about: configurationHelp(),
  options: {
    config: { type: "string", value: "FILE", help: "YAML with the keys above" },
    data: { type: "string", value: "DIR", help: "where logs and tables are kept" },
    role: { type: "string", value: "R,...", help: `of a cluster, only these parts: ${roleHelp()}` },
    demo: { type: "boolean", help: "also replay an hour of real requests with an incident in it" },
    incident: { type: "string", value: "KIND", help: `of the demo: ${incidents().join(", ")} (${defaultIncident})` },
    salt: { type: "string", value: "TEXT", help: "of the demo: other record ids" },
  },
  examples: [
    "burnwatch serve",
    "burnwatch serve --demo --incident loop",
    "BURNWATCH_WEBHOOK=http://127.0.0.1:9000/hook burnwatch serve --config burnwatch.yaml",
  ],
  async run({ values }, io) {
    const asked = { ...values };
    if (asked.incident !== undefined && !incidents().includes(asked.incident)) {
      throw new UsageError(`no incident "${asked.incident}"; there are ${incidents().join(", ")}`);
    }
    const config = configOf(asked, io);
    const roles = refusing(() => rolesOf(asked.role, config));
    return roles === null ? run(asked, config, io) : runRoles(roles, config, io);
  },
});

interface Asked {
  readonly config?: string | undefined;
  readonly data?: string | undefined;
  readonly role?: string | undefined;
  readonly demo?: boolean | undefined;
  readonly incident?: string | undefined;
  readonly salt?: string | undefined;
}

async function run(asked: Asked, config: Config, io: CommandIo): Promise<number> {
  if (asked.demo === true && asked.data === undefined) rmSync(config.data, { recursive: true, force: true });
  const log = logger(config, io);
  const version = ownVersion();
  const terminal = { write: (text: string) => io.stdout.write(text), colours: colours(io) };
  let server: RunningServer;
  try {
    server = await startServer({ config, log, version, terminal });
  } catch (error) {
    io.stderr.write(`burnwatch serve: ${(error as Error).message}\n`);
    return 1;
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
  return codeOf(reason);
}

async function runRoles(roles: ReadonlySet<Role>, config: Config, io: CommandIo): Promise<number> {
  const log = logger(config, io);
  // Loaded here: one machine has no use for it.
  const { kafkajsClient } = await import("./event-log/kafkajs-client.ts");
  const client = kafkajsClient(refusing(() => kafkaAddressOf(config, `burnwatch-${ownVersion()}`)));
  let running: RunningRoles;
  try {
    const terminal = { write: (text: string) => io.stdout.write(text), colours: colours(io) };
    running = await startRoles({ config, log, roles, client, openStore, terminal, version: ownVersion() });
  } catch (error) {
    await client.close();
    io.stderr.write(`burnwatch serve: ${(error as Error).message}\n`);
    return 1;
  }
  const stopped = untilStopped(null);
  const send =
    running.otlpPort === null ? "" : `  send   OTLP/HTTP to http://127.0.0.1:${running.otlpPort}/v1/traces\n`;
  const ask = roles.has("api")
    ? `  ask    burnwatch alerts, cost ... with BURNWATCH_URL=http://127.0.0.1:${running.apiPort}\n`
    : "";
  io.stdout.write(`burnwatch ${[...roles].join(", ")} of ${config.kafkaPrefix} is ready\n${send}${ask}`);
  const reason = await stopped;
  log.info({ reason }, "stopping: delivering what was begun");
  await running.stop();
  await client.close();
  log.info("stopped");
  return codeOf(reason);
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(packageFile, "utf8")) as { version: string }).version;
}

/** An error that nobody took is no decision to stop. */
function codeOf(reason: string): number {
  return reason.startsWith("SIG") ? 0 : startAgainCode;
}

function configOf(asked: Asked, io: CommandIo): Config {
  const config = usableConfig(asked.config, io);
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

function colours(io: CommandIo): boolean {
  return io.stdout.isTTY === true && io.env["NO_COLOR"] === undefined;
}

/** Resolves with the first reason to stop; a second signal ends the process at once. */
function untilStopped(server: RunningServer | null): Promise<string> {
  return new Promise((resolve) => {
    const signals: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
    for (const signal of signals) {
      process.on(signal, () => {
        for (const each of signals) process.on(each, () => process.kill(process.pid, "SIGKILL"));
        resolve(signal);
      });
    }
    server?.failed.catch((error: Error) => resolve(`a worker failed: ${error.message}`));
    // lmdb rejects one promise for each write of a commit that failed; whoever made the commit has told of it.
    process.on("unhandledRejection", (error) => resolve(`an error that nobody took: ${error}`));
  });
}

function banner(config: Config, { otlpPort, grpcPort, apiPort, clickhousePort }: RunningServer): string {
  const lines = [
    otlpPort === null ? "" : `  send   OTLP/HTTP to http://127.0.0.1:${otlpPort}/v1/traces`,
    grpcPort === null ? "" : `  send   OTLP/gRPC to http://127.0.0.1:${grpcPort}`,
    apiPort === null
      ? ""
      : "  ask    npm run -s burnwatch -- cost --by model,feature   (or: tail, alerts, sql, doctor)",
    apiPort === null ? "" : `  look   http://127.0.0.1:${apiPort}/metrics, /readyz, /api/v1/openapi.json`,
    clickhousePort === null ? "" : `  sql    any ClickHouse client, read-only, at http://127.0.0.1:${clickhousePort}`,
    `  kept   in ${config.data}: calls for ${config.rawRetentionDays} days, 15-minute sums for ${config.rollupRetentionMonths} months`,
    config.webhook === null
      ? "  alerts on this terminal; BURNWATCH_WEBHOOK=URL posts them too"
      : "  alerts on this terminal and to the webhook",
  ];
  return `burnwatch is ready\n${lines.filter((line) => line !== "").join("\n")}\n`;
}

/** Replays two hours of real requests as the last hour of the tenant `demo`, the second with an incident near its end. */
async function demo(asked: Asked, config: Config, server: RunningServer, io: CommandIo): Promise<void> {
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
      ...io.env,
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

function roleHelp(): string {
  return Object.entries(roleSummaries)
    .map(([role, summary]) => `${role} (${summary})`)
    .join(", ");
}

function configurationHelp(): string {
  const rows = configHelp();
  const width = Math.max(...rows.map(([path]) => path.length));
  const variableWidth = Math.max(...rows.map(([, variable]) => variable.length));
  const lines = rows.map(([path, variable, value, doc]) => {
    const meaning = value === "" ? doc : `${doc} (${value})`;
    return `  ${path.padEnd(width)}  ${variable.padEnd(variableWidth)}  ${meaning}`;
  });
  return ["keys of the configuration, with the variable that overrides each, and its default:", ...lines].join("\n");
}
