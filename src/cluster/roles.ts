/** A process of a cluster: the parts it was asked to run, over Kafka and a ClickHouse server. */

import { createServer, type Server } from "node:http";
import type { Logger } from "pino";
import type { Terminal } from "../channels/terminal.ts";
import { type Config, ConfigError } from "../config.ts";
import { lockDirectory } from "../event-log/directory-lock.ts";
import type { KafkaClient } from "../event-log/kafka-client.ts";
import { createKafkaTopics, groupNames, topicsOf } from "../event-log/kafka-topics.ts";
import { createMetrics, type Metrics } from "../http/metrics.ts";
import { closeConnectionsAfterMs, listen, listenHttp } from "../listen.ts";
import { type OpenPrices, openPrices } from "../pipeline.ts";
import type { Store } from "../store/store.ts";
import { openAccounts } from "./accounts.ts";
import { openAlerters } from "./alerting.ts";
import { createClusterApi } from "./api.ts";
import { checkClusterId } from "./cluster-id.ts";
import { openDetectors } from "./detection.ts";
import { openMetricStoring } from "./metric-storing.ts";
import { type Collector, layoutOf, openCollector, openResolvers, openWriters, type PartOptions } from "./parts.ts";
import { shardsOf } from "./shards.ts";

export type Role = "collector" | "resolver" | "writer" | "detector" | "alerter" | "api";

export interface RolesOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly roles: ReadonlySet<Role>;
  /** Where alerts are shown. */
  readonly terminal: Terminal;
  readonly version: string;
  /** Stays open when the parts have stopped. */
  readonly client: KafkaClient;
  readonly openStore: (config: Config, access: "write" | "read") => Promise<Store>;
}

export interface RunningRoles {
  readonly roles: ReadonlySet<Role>;
  /** Ports as bound, null where closed or not the collector's. */
  readonly otlpPort: number | null;
  readonly grpcPort: number | null;
  readonly apiPort: number | null;
  /** Takes no more, finishes what was begun, lets others go on. */
  stop(): Promise<void>;
}

/** What the parts do, for the help. */
export const roleSummaries: Readonly<Record<Role, string>> = {
  collector: "takes OTLP into Kafka",
  resolver: "makes records of spans: identity, dialect, role, price",
  writer: "writes records and metrics into ClickHouse, and keeps its tables",
  detector: "says what is unusual in the records",
  alerter: "makes alerts of it, with causes from ClickHouse, and tells the channels: one works, others stand by",
  api: "answers the console and whoever else asks",
};

const needStore: ReadonlySet<Role> = new Set<Role>(["resolver", "writer", "alerter", "api"]);

/** Sum over all shards; the others ask each by itself. */
const readAllShards: ReadonlySet<string> = new Set<Role>(["alerter", "api"]);

/**
 * The parts of a process of a cluster; null for the one process that does everything.
 * @param text names, separated by commas.
 * @throws ConfigError where the configuration says something else.
 */
export function rolesOf(text: string | undefined, config: Config): ReadonlySet<Role> | null {
  const known = Object.keys(roleSummaries).join(", ");
  if (text === undefined) {
    if (config.kafkaBrokers === null) return null;
    throw new ConfigError(
      `kafka.brokers is set, so this is a process of a cluster: say which parts with --role (${known})`,
    );
  }
  const names = text.split(",").map((name) => name.trim());
  // A word of the design that nobody should take for a slip of the pen.
  if (names.includes("budgets"))
    throw new ConfigError(`--role: budgets are not part of Burnwatch yet: no role guards them; there are ${known}`);
  for (const name of names)
    if (!(name in roleSummaries)) throw new ConfigError(`--role: expected some of ${known}, got "${name}"`);
  if (config.kafkaBrokers === null) throw new ConfigError("--role: the parts of a cluster need kafka.brokers");
  const roles = new Set(names as Role[]);
  const stores = shardsOf(config);
  if (stores === null && config.clickhouseUrl === null && [...roles].some((role) => needStore.has(role)))
    throw new ConfigError(`--role: ${[...needStore].join(", ")} need clickhouse.url or clickhouse.shards`);
  if (stores !== null && stores.cluster === null && [...roles].some((role) => readAllShards.has(role)))
    throw new ConfigError(
      `--role: ${[...readAllShards].join(", ")} read all of clickhouse.shards through a cluster of ClickHouse's own: name it with clickhouse.cluster`,
    );
  return roles;
}

/** Starts the parts. @throws Error with one plain line when brokers or ClickHouse do not answer, or a port is in use. */
export async function startRoles(options: RolesOptions): Promise<RunningRoles> {
  const { config, log, roles, client } = options;
  const undo: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const lock = await lockDirectory(config.data);
    undo.push(() => lock.release());
    checkClusterId(config, await client.clusterId());
    await createKafkaTopics(client, layoutOf(config), { horizonMs: config.identityHours * 3_600_000 });
    const metrics = createMetrics(null);
    const part = { config, log, client, metrics };
    const stored = [...roles].some((role) => needStore.has(role));
    const prices = roles.has("resolver") || roles.has("api") ? openPrices(part) : null;
    undo.push(async () => prices?.file.stop());
    const store = stored ? await startWorkers({ ...options, ...part, prices }, undo) : null;
    if (roles.has("detector")) {
      const detectors = openDetectors(part);
      undo.push(() => detectors.stop());
      await detectors.start();
    }
    const collector = roles.has("collector") ? await startCollector(part, undo) : null;
    const { otlpPort = null, grpcPort = null } = collector ?? {};
    const waits = () => metrics.memberships.outside() ?? collector?.refused() ?? store?.refusal?.() ?? null;
    const isAsked = roles.has("api") && store !== null && prices !== null;
    if (isAsked) {
      const accounts = openAccounts(part);
      undo.push(() => accounts.stop());
      await accounts.start();
    }
    const api = isAsked ? createClusterApi({ ...part, store, version: options.version, prices, waits }) : null;
    const apiPort = await listenHttp(config.api, "api", api?.server ?? pulse(metrics, waits), undo);
    if (api !== null) undo.push(() => api.close());
    return { roles, otlpPort, grpcPort, apiPort, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Of a process without the API: it listens once its parts have begun, and is ready while their groups have it, the brokers
 * take what it appends, and ClickHouse takes its users. What else they wait for they say in the log.
 */
function pulse({ registry }: Metrics, waits: () => string | null): Server {
  return createServer(async (request, response) => {
    const asked = request.url === "/metrics";
    const outside = request.url === "/readyz" ? waits() : null;
    const known = asked || request.url === "/healthz" || request.url === "/readyz";
    response.writeHead(outside !== null ? 503 : known ? 200 : 404, { "content-type": registry.contentType });
    response.end(asked ? await registry.metrics() : outside === null ? "" : `${outside}\n`);
  });
}

async function startWorkers(
  { roles, openStore, terminal, prices, ...part }: PartOptions & RolesOptions & { readonly prices: OpenPrices | null },
  undo: (() => Promise<void>)[],
): Promise<Store> {
  const { config, log } = part;
  // The others only ask: they need not know the password of who writes.
  const store = await openStore(config, roles.has("writer") ? "write" : "read");
  undo.push(() => store.close());
  if (roles.has("writer")) {
    const migrations = await migrateInTurn(part, store);
    if (migrations.length > 0) log.info({ migrations }, "schema is up to date");
    const writers = openWriters({ ...part, store });
    undo.push(() => writers.stop());
    await writers.start();
    const storing = openMetricStoring({ ...part, store });
    undo.push(() => storing.stop());
    await storing.start();
  }
  if (roles.has("resolver") && prices !== null) {
    const resolvers = openResolvers({ ...part, store, prices: prices.book });
    undo.push(() => resolvers.stop());
    await resolvers.start();
  }
  if (roles.has("alerter")) {
    const alerters = openAlerters({ ...part, store, terminal });
    undo.push(() => alerters.stop());
    await alerters.start();
  }
  return store;
}

/** One writer of the cluster at a time, where there is something to do. */
async function migrateInTurn({ client, config }: PartOptions, store: Store): Promise<readonly string[]> {
  if ((await store.missingMigrations()).length === 0) return store.migrate();
  const turn = await client.turn(`${config.kafkaPrefix}.${groupNames.migrate}`, topicsOf(layoutOf(config)).probe);
  try {
    return await store.migrate();
  } finally {
    await turn.leave();
  }
}

async function startCollector(part: PartOptions, undo: (() => Promise<void>)[]) {
  const { config } = part;
  const collector: Collector = openCollector(part);
  undo.push(() => collector.stop());
  const { http, grpc } = collector.otlp;
  const otlpPort = await listenHttp(config.otlpHttp, "otlp.http", http, undo);
  const grpcPort = await listen(config.otlpGrpc, "otlp.grpc", grpc.server);
  if (grpcPort !== null) undo.push(() => grpc.stop(closeConnectionsAfterMs));
  return { otlpPort, grpcPort, refused: () => collector.refused() };
}
