/** A small cluster for tests: a real broker, a ClickHouse server, and processes of the roles, each with its directory. */

import { randomBytes } from "node:crypto";
import { kafkajsClient } from "../../src/event-log/kafkajs-client.ts";
import { untilConsumed } from "../../src/event-log/until-consumed.ts";
import { openRemoteStore } from "../../src/store/remote.ts";
import type { Store } from "../../src/store/store.ts";
import { type Burnwatch, startBurnwatch } from "./burnwatch.ts";
import { startClickhouseServer } from "./clickhouse-server.ts";
import { startBroker, type TestBroker } from "./kafka-broker.ts";

export interface TestCluster {
  readonly broker: TestBroker;
  /** What a process of it needs to know. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the writers have written. */
  readonly store: Store;
  /** Starts a process with these roles. It is stopped with the cluster. */
  start(roles: string): Promise<Burnwatch>;
  /** Waits until everything acknowledged before the call is in the store. */
  settle(withinMs: number): Promise<void>;
  stop(): Promise<void>;
}

const database = "cluster";

/** Starts broker and ClickHouse server; no role runs yet. */
export async function startCluster({ partitions }: { readonly partitions: number }): Promise<TestCluster> {
  const [broker, clickhouse] = await Promise.all([startBroker(), startClickhouseServer()]);
  const store = await openRemoteStore({ url: clickhouse.url, database });
  const client = kafkajsClient({ brokers: [broker.address], clientId: "burnwatch-test" });
  // A broker named from outside keeps what earlier runs have left.
  const prefix = `burnwatch-test-${randomBytes(4).toString("hex")}`;
  const environment = {
    BURNWATCH_KAFKA_BROKERS: broker.address,
    BURNWATCH_KAFKA_PREFIX: prefix,
    BURNWATCH_KAFKA_PARTITIONS: String(partitions),
    BURNWATCH_KAFKA_REPLICAS: "1",
    BURNWATCH_CLICKHOUSE_URL: clickhouse.url,
    BURNWATCH_CLICKHOUSE_DATABASE: database,
    BURNWATCH_IDENTITY_HOURS: "1",
  };
  const processes: Burnwatch[] = [];
  return {
    broker,
    environment,
    store,
    async start(roles) {
      const started = await startBurnwatch({ words: ["--role", roles], environment });
      processes.push(started);
      return started;
    },
    async settle(withinMs) {
      const signal = AbortSignal.timeout(withinMs);
      await untilConsumed(client, `${prefix}.resolver`, `${prefix}.spans`, signal);
      await untilConsumed(client, `${prefix}.writer`, `${prefix}.usage`, signal);
    },
    async stop() {
      await Promise.all(processes.map((one) => one.remove()));
      await client.close();
      await store.close();
      await Promise.all([broker.stop(), clickhouse.stop()]);
    },
  };
}
