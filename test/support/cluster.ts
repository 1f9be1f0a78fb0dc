/** A small cluster for tests: a real broker, a ClickHouse server, and processes of the roles, each with its directory. */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { alerterGroup } from "../../src/cluster/alerting.ts";
import { detectorGroups } from "../../src/cluster/detection.ts";
import type { KafkaClient } from "../../src/event-log/kafka-client.ts";
import { type KafkaTopics, topicsOf } from "../../src/event-log/kafka-topics.ts";
import { kafkajsClient } from "../../src/event-log/kafkajs-client.ts";
import { untilConsumed } from "../../src/event-log/until-consumed.ts";
import { openRemoteStore } from "../../src/store/remote.ts";
import type { Store } from "../../src/store/store.ts";
import { type Burnwatch, startBurnwatch } from "./burnwatch.ts";
import { type ClickhouseTestServer, startClickhouseServer } from "./clickhouse-server.ts";
import { startBroker, type TestBroker } from "./kafka-broker.ts";
import { startBrokers, type TestBrokers } from "./kafka-brokers.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export interface TestCluster {
  /** Null where there are proxies before the brokers. */
  readonly broker: TestBroker | null;
  /** Where faults were asked for. */
  readonly faults: Faults | null;
  /** Of a bystander. */
  readonly client: KafkaClient;
  readonly prefix: string;
  readonly topics: KafkaTopics;
  /** What a process of it needs to know. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the writers have written. */
  readonly store: Store;
  /**
   * Starts a process with these roles, and its own environment beside that of all. It is stopped with the cluster.
   * @param version the `main.ts` of another one.
   */
  start(roles: string, environment?: Readonly<Record<string, string>>, version?: string): Promise<Burnwatch>;
  /** Waits until everything acknowledged before the call is in the store. */
  settle(withinMs: number): Promise<void>;
  /** Waits until everything acknowledged before the call was judged, and what follows is in the alerter's book. */
  judged(withinMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** What can go wrong around the processes. */
export interface Faults {
  readonly brokers: TestBrokers;
  readonly clickhouse: ClickhouseTestServer;
  readonly database: string;
  /** Before ClickHouse. */
  readonly proxy: TcpProxy;
}

export interface ClusterOptions {
  readonly partitions: number;
  /** So many brokers with a proxy before each, and one before ClickHouse; by default one broker and no proxy. */
  readonly proxiedBrokers?: number;
}

const database = "cluster";

const deployed = new URL("../../deploy/cluster/", import.meta.url);

/** What the systemd unit of a cluster says behind `serve`, with the configuration beside it. */
export function wordsOfUnit(roles: string): readonly string[] {
  const unit = readFileSync(new URL("burnwatch@.service", deployed), "utf8");
  const [, words = ""] = /^ExecStart=\/usr\/bin\/env node src\/launcher\.mjs serve (.+)$/m.exec(unit) ?? [];
  const config = fileURLToPath(new URL("burnwatch.yaml", deployed));
  return words
    .split(" ")
    .map((word) => (word === "%i" ? roles : word.replace("/etc/burnwatch/burnwatch.yaml", config)));
}

/** Starts brokers and ClickHouse server; no role runs yet. */
export async function startCluster({ partitions, proxiedBrokers }: ClusterOptions): Promise<TestCluster> {
  const [broker, brokers, clickhouse] = await Promise.all([
    proxiedBrokers === undefined ? startBroker() : null,
    proxiedBrokers === undefined ? null : startBrokers(proxiedBrokers),
    startClickhouseServer(),
  ]);
  const proxy = brokers === null ? null : await TcpProxy.listen();
  proxy?.forwardTo(Number(new URL(clickhouse.url).port));
  const store = await openRemoteStore({ url: clickhouse.url, database });
  const direct = brokers?.direct ?? [broker?.address ?? ""];
  const client = kafkajsClient({ brokers: direct, clientId: "burnwatch-test" });
  // A broker named from outside keeps what earlier runs have left.
  const prefix = `burnwatch-test-${randomBytes(4).toString("hex")}`;
  const topics = topicsOf({ prefix });
  const environment = {
    BURNWATCH_KAFKA_BROKERS: brokers?.addresses.join(",") ?? broker?.address ?? "",
    BURNWATCH_KAFKA_PREFIX: prefix,
    BURNWATCH_KAFKA_PARTITIONS: String(partitions),
    BURNWATCH_KAFKA_REPLICAS: String(proxiedBrokers ?? 1),
    BURNWATCH_CLICKHOUSE_URL: proxy === null ? clickhouse.url : `http://127.0.0.1:${proxy.port}`,
    BURNWATCH_CLICKHOUSE_DATABASE: database,
    // The one that the test server knows.
    BURNWATCH_CLICKHOUSE_USER: "default",
    BURNWATCH_CLICKHOUSE_READ_USER: "default",
  };
  const processes: Burnwatch[] = [];
  return {
    broker,
    faults: brokers === null || proxy === null ? null : { brokers, clickhouse, database, proxy },
    client,
    prefix,
    topics,
    environment,
    store,
    async start(roles, own = {}, version) {
      const of = version === undefined ? {} : { version };
      const started = await startBurnwatch({
        words: wordsOfUnit(roles),
        environment: { ...environment, ...own },
        ...of,
      });
      processes.push(started);
      return started;
    },
    async settle(withinMs) {
      const signal = AbortSignal.timeout(withinMs);
      await untilConsumed(client, `${prefix}.resolver`, topics.spans, signal);
      await untilConsumed(client, `${prefix}.writer`, topics.usage, signal);
    },
    async judged(withinMs) {
      const signal = AbortSignal.timeout(withinMs);
      await untilConsumed(client, `${prefix}.resolver`, topics.spans, signal);
      await untilConsumed(client, `${prefix}.${detectorGroups.parts}`, topics.usage, signal);
      await untilConsumed(client, `${prefix}.${detectorGroups.wholes}`, topics.deltas, signal);
      await untilConsumed(client, `${prefix}.${alerterGroup}`, topics.claims, signal);
    },
    async stop() {
      await Promise.all(processes.map((one) => one.remove()));
      await client.close();
      await store.close();
      await Promise.all([broker?.stop(), brokers?.stop(), clickhouse.stop(), proxy?.close()]);
    },
  };
}
