/**
 * A real broker for test suites: Apache Kafka, one node that is its own controller, on free ports of the loopback with a
 * directory of its own. `BURNWATCH_TEST_KAFKA=host:port` names another, which is used as it is.
 */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { kafkaJars } from "./kafka-jars.ts";

export interface TestBroker {
  /** `host:port` */
  readonly address: string;
  /** Of the listeners that were asked for, in their order. */
  readonly listeners: readonly string[];
  /** Ends the process without a word, and starts it again over the same directory. Not for a broker named from outside. */
  killAndRestart(): Promise<void>;
  /** Ends the process and deletes its data. */
  stop(): Promise<void>;
}

export interface RunningBroker {
  /** Ends it without a word. */
  kill(): Promise<void>;
  /** Asks it to end: what it leads moves to others first. */
  terminate(): Promise<void>;
}

export interface BrokerOptions {
  /** Beside the plain one, `SASL_SSL`: of localhost, where its certificate is for. */
  readonly listeners?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
  /** Of the tool that makes its directory. */
  readonly formatWords?: readonly string[];
}

const startTimeoutMs = 60_000;
const run = promisify(execFile);
/** A short life: no time is spent on the best code, and little memory. */
export const javaOptions = [
  "-Xmx512m",
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
];
/**
 * Standard input is the leash: the broker ends when the process that started it does, however that ends. The first line
 * is the broker's process id.
 */
const leash = '"$@" & echo $!; cat > /dev/null; kill -9 $! 2> /dev/null';

/**
 * Why suites over a broker are skipped here, undefined where they are not. Says it once on standard error.
 * @throws Error where `BURNWATCH_TEST_REQUIRE` names kafka.
 */
export async function kafkaMissing(): Promise<string | undefined> {
  if (process.env["BURNWATCH_TEST_KAFKA"] !== undefined) return undefined;
  const found = await kafkaJars();
  if (!("missing" in found)) return undefined;
  const line = `skipped: no Kafka broker (${found.missing})\n`;
  if (process.env["BURNWATCH_TEST_REQUIRE"]?.split(",").includes("kafka") === true) throw new Error(line);
  process.stderr.write(line);
  return found.missing;
}

/** Starts a broker; resolves once it takes connections. @throws Error with what the broker said. */
export async function startBroker(more: BrokerOptions = {}): Promise<TestBroker> {
  const named = process.env["BURNWATCH_TEST_KAFKA"];
  if (named !== undefined) {
    const refuse = () => Promise.reject(new Error("a broker named by BURNWATCH_TEST_KAFKA is not restarted"));
    return { address: named, listeners: [], killAndRestart: refuse, stop: async () => undefined };
  }
  const found = await kafkaJars();
  if ("missing" in found) throw new Error(found.missing);
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-kafka-"));
  const names = more.listeners ?? [];
  // Together, so that none is dealt twice.
  const [port = 0, controllerPort = 0, ...others] = await Promise.all(
    Array.from({ length: 2 + names.length }, freePort),
  );
  const listeners = names.map((name, index) => `${name}://localhost:${others[index]}`);
  const properties = join(directory, "server.properties");
  writeFileSync(properties, propertiesOf({ ...more, directory, port, controllerPort, listeners }));
  const java = [...javaOptions, "-cp", `${found.jars}/*`];
  await formatStorage(java, properties, {
    clusterId: newClusterId(),
    words: ["--standalone", ...(more.formatWords ?? [])],
  });
  let broker = await launchBroker([...java, "kafka.Kafka", properties], port);
  return {
    address: `127.0.0.1:${port}`,
    listeners: others.map((other) => `localhost:${other}`),
    async killAndRestart() {
      await broker.kill();
      broker = await launchBroker([...java, "kafka.Kafka", properties], port);
    },
    async stop() {
      await broker.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A tool of Kafka's own, by the name of its class. */
export async function runTool(tool: string, words: readonly string[]): Promise<void> {
  const found = await kafkaJars();
  if ("missing" in found) throw new Error(found.missing);
  await run("java", [...javaOptions, "-cp", `${found.jars}/*`, tool, ...words]);
}

export function newClusterId(): string {
  const id = randomBytes(16);
  // One that begins with a dash would be taken for an option.
  id.writeUInt8(id.readUInt8(0) & 0x7f, 0);
  return id.toString("base64url");
}

/** Makes the directory of a node ready. */
export async function formatStorage(
  java: readonly string[],
  properties: string,
  { clusterId, words }: { readonly clusterId: string; readonly words: readonly string[] },
): Promise<void> {
  await run("java", [...java, "kafka.tools.StorageTool", "format", ...words, "-t", clusterId, "-c", properties]);
}

interface Places extends BrokerOptions {
  readonly directory: string;
  readonly port: number;
  readonly controllerPort: number;
}

function propertiesOf({ directory, port, controllerPort, listeners = [], properties = {} }: Places): string {
  const more = listeners.map((listener) => `,${listener}`).join("");
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": 1,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${more}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}${more}`,
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.bootstrap.servers": `127.0.0.1:${controllerPort}`,
    "log.dirs": join(directory, "data"),
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "group.initial.rebalance.delay.ms": 0,
    "auto.create.topics.enable": false,
    ...properties,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

/** A broker that takes connections on this port. @throws Error with what it said. */
export async function launchBroker(words: readonly string[], port: number): Promise<RunningBroker> {
  const child = spawn("sh", ["-c", leash, "sh", "java", ...words], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (data) => {
    said = `${said}${String(data)}`.slice(-4000);
  });
  const pid = await firstLine(child);
  const deadline = Date.now() + startTimeoutMs;
  while (!(await answers(port))) {
    if (Date.now() > deadline || !isAlive(pid)) {
      child.stdin.end();
      throw new Error(`the broker did not start: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    async kill() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.stdin.end();
      await ended;
    },
    async terminate() {
      process.kill(pid, "SIGTERM");
      while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
      child.stdin.end();
    },
  };
}

async function firstLine(child: ChildProcess): Promise<number> {
  const line = await new Promise<string>((resolve) => child.stdout?.once("data", (data) => resolve(String(data))));
  return Number(line.trim());
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** A port of the loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (bound === null || typeof bound === "string") throw new Error("no free port");
  return bound.port;
}
