/**
 * A stop of resolvers and writers, and how it is caught up: the backlog that a stated load leaves in so long is appended at
 * full speed while nobody reads, then both start, and the load goes on at its rate until nothing is behind any more.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KafkaSpansSink } from "../../src/event-log/kafka-spans-sink.ts";
import { topicsOf } from "../../src/event-log/kafka-topics.ts";
import { kafkajsClient } from "../../src/event-log/kafkajs-client.ts";
import { openRemoteStore } from "../../src/store/remote.ts";
import { seededRandom } from "../../src/store/sample-records.ts";
import type { Store } from "../../src/store/store.ts";
import { startClickhouseServer } from "../support/clickhouse-server.ts";
import type { Table } from "./bench.ts";
import { createTopics, encoded, exportBytes, type Ground, startResolvers, startWriters } from "./cluster-parts.ts";

/** Of the load that never stops. */
const spansPerSecond = 1000;
const spansPerExport = 500;
/** Appended at once while the backlog is filled. */
const exportsAtOnce = 8;
/** Behind by less than the load of so long, a part has caught up: a writer waits a second for a fuller batch. */
const caughtUpSeconds = 3;
const lookEveryMs = 100;
/** Nothing stored for so long is a failure. */
const stuckAfterMs = 120_000;

interface Asked {
  /** How long nobody reads. */
  readonly stopSeconds: number;
  readonly progress: (line: string) => void;
}

interface Recovery {
  readonly backlog: number;
  readonly fillSeconds: number;
  /** Since both started. */
  readonly resolvedSeconds: number;
  readonly storedSeconds: number;
  /** Stored when it had caught up. */
  readonly storedThen: number;
  /** CPU of this process from the start of both until then: resolvers, writers, and the load. */
  readonly cpuUs: number;
  readonly appended: number;
  readonly rows: number;
  readonly identities: number;
}

/** One stop, and its recovery. */
export async function recoveryTable(address: string, asked: Asked): Promise<Table> {
  const client = kafkajsClient({ brokers: [address], clientId: "burnwatch-bench" });
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-bench-recovery-"));
  const clickhouse = await startClickhouseServer();
  const store = await openRemoteStore({ url: clickhouse.url, database: "recovery" });
  try {
    await store.migrate();
    return tableOf(await recover({ client, prefix: `recovery-${process.pid}`, directory }, store, asked), asked);
  } finally {
    await store.close();
    await clickhouse.stop();
    await client.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function tableOf(found: Recovery, { stopSeconds }: Asked): Table {
  const { backlog, fillSeconds, resolvedSeconds, storedSeconds, storedThen, cpuUs, appended, rows, identities } = found;
  return {
    title: `Recovery after resolvers and writers stood still for ${stopSeconds} s at ${spansPerSecond} spans/s`,
    columns: [
      { title: "backlog", digits: 0 },
      { title: "resolved again after s", digits: 1 },
      { title: "stored again after s", digits: 1 },
      { title: "stored/s meanwhile", digits: 0 },
      { title: "CPU us/span", digits: 1 },
      { title: "appended", digits: 0 },
      { title: "rows", digits: 0 },
      { title: "identities", digits: 0 },
      { title: "stored once" },
    ],
    rows: [
      [
        backlog,
        resolvedSeconds,
        storedSeconds,
        storedThen / storedSeconds,
        cpuUs / storedThen,
        appended,
        rows,
        identities,
        rows === appended && identities === appended ? "yes" : "NO",
      ],
    ],
    notes: [
      `Scaled: the backlog is what the load leaves in ${stopSeconds} s, appended in ${fillSeconds.toFixed(0)} s while nobody read; its spans carry the times at which they would have come. --stop-seconds 3600 is an hour's.`,
      `Then the load goes on at ${spansPerSecond} spans/s, made in the same process, whose CPU is in the figure. Again: less than ${caughtUpSeconds} s of the load behind. Broker, ClickHouse, resolvers, writers and load share the cores.`,
    ],
  };
}

async function recover(ground: Ground, store: Store, { stopSeconds, progress }: Asked): Promise<Recovery> {
  await createTopics(ground);
  const load = new Load(ground);
  const backlog = Math.ceil((spansPerSecond * stopSeconds) / spansPerExport) * spansPerExport;
  progress(`recovery: a backlog of ${backlog} spans`);
  const filledAt = performance.now();
  await load.fill(backlog);
  const fillSeconds = (performance.now() - filledAt) / 1000;
  progress(`recovery: catching up, with ${spansPerSecond} spans/s more`);
  const [startedAt, cpuBefore] = [performance.now(), process.cpuUsage()];
  load.goOn();
  let [resolved, stored] = [0, 0];
  const parts = await Promise.all([
    startResolvers(ground, (spans) => {
      resolved += spans;
    }),
    startWriters(ground, store, (rows) => {
      stored += rows;
    }),
  ]);
  const failed = Promise.race([load.failed, ...parts.map((part) => part.failed)]);
  const since = () => (performance.now() - startedAt) / 1000;
  const behind = caughtUpSeconds * spansPerSecond;
  await until(
    () => load.appended - resolved <= behind,
    failed,
    () => resolved,
  );
  const resolvedSeconds = since();
  await until(
    () => load.appended - stored <= behind,
    failed,
    () => stored,
  );
  const storedSeconds = since();
  const [storedThen, { user, system }] = [stored, process.cpuUsage(cpuBefore)];
  await load.stop();
  await until(
    () => stored >= load.appended,
    failed,
    () => stored,
  );
  await Promise.all(parts.map((part) => part.stop()));
  const [sums] = await store.query<{ rows: string; identities: string }>(
    "SELECT count() AS rows, uniqExact(trace_id, span_id) AS identities FROM usage_records",
  );
  return {
    backlog,
    fillSeconds,
    resolvedSeconds,
    storedSeconds,
    storedThen,
    cpuUs: user + system,
    appended: load.appended,
    rows: Number(sums?.rows),
    identities: Number(sums?.identities),
  };
}

/** @throws Error where `progressed` stands still, and whatever `failed` rejects with. */
async function until(done: () => boolean, failed: Promise<never>, progressed: () => number): Promise<void> {
  let [last, lastAt] = [progressed(), performance.now()];
  while (!done()) {
    await Promise.race([new Promise((resolve) => setTimeout(resolve, lookEveryMs)), failed]);
    if (progressed() !== last) [last, lastAt] = [progressed(), performance.now()];
    if (performance.now() - lastAt > stuckAfterMs) throw new Error(`nothing came after ${last} spans`);
  }
}

/** Exports of spans that all differ, acknowledged by the broker. */
class Load {
  readonly failed: Promise<never>;
  readonly #fail: (error: Error) => void;
  readonly #sink: KafkaSpansSink;
  readonly #random = seededRandom(3600);
  #going: Promise<void> | undefined;
  #stopped = false;
  /** Spans acknowledged so far. */
  appended = 0;

  constructor({ client, prefix }: Ground) {
    this.#sink = new KafkaSpansSink(client, topicsOf({ prefix }).spans);
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.failed = promise;
    this.#fail = reject;
  }

  /** Appends so many spans as fast as it goes, as if they had come at the load's rate until now. */
  async fill(spans: number): Promise<void> {
    const firstMs = Date.now() - (spans * 1000) / spansPerSecond;
    let next = 0;
    const exporter = async () => {
      for (let from = next; from < spans; from = next) {
        next += spansPerExport;
        await this.#append(Math.floor(firstMs + (from * 1000) / spansPerSecond));
      }
    };
    await Promise.all(Array.from({ length: exportsAtOnce }, exporter));
  }

  /** Begins to append at the load's rate. */
  goOn(): void {
    this.#going = this.#pace().catch((error: Error) => this.#fail(error));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#going;
    await this.#sink.close();
  }

  async #pace(): Promise<void> {
    const everyMs = (spansPerExport * 1000) / spansPerSecond;
    for (let dueMs = Date.now(); !this.#stopped; dueMs += everyMs) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - Date.now())));
      await this.#append(Date.now());
    }
  }

  async #append(atMs: number): Promise<void> {
    await this.#sink.append(encoded(exportBytes(spansPerExport, atMs, this.#random), atMs).entries);
    this.appended += spansPerExport;
  }
}
