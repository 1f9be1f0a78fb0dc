/** One suite over both implementations of the logs: on lmdb in one process, and on Kafka with a process for each end. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SimulatedKafka } from "../../test/simulation/kafka.ts";
import { kafkaMissing, startBroker, type TestBroker } from "../../test/support/kafka-broker.ts";
import { kafkaClients } from "../../test/support/kafka-clients.ts";
import { seededRandom } from "../ingest/otlp-random.ts";
import type { LogReader } from "./event-log.ts";
import { type KafkaClient, KafkaFenced } from "./kafka-client.ts";
import { KafkaConsumedLog } from "./kafka-consumed-log.ts";
import { KafkaLog } from "./kafka-log.ts";
import { KafkaResolverLog } from "./kafka-resolver-log.ts";
import { KafkaSpansSink } from "./kafka-spans-sink.ts";
import { createKafkaTopics, topicsOf } from "./kafka-topics.ts";
import { LmdbLog } from "./lmdb-log.ts";
import { LmdbUsageLog } from "./lmdb-usage-log.ts";
import { untilConsumed } from "./until-consumed.ts";
import type { ConsumedLog, Identity, ResolverLog, SeenSpan } from "./usage-log.ts";

const missing = await kafkaMissing();
const identities = { horizonMs: 24 * 3_600_000, entriesMax: 1_000_000 };
const text = (payload: Uint8Array) => Buffer.from(payload).toString();
const texts = (entries: readonly { readonly payload: Uint8Array }[]) => entries.map(({ payload }) => text(payload));

/** Both ends of the two logs. What is opened again continues where the last one was. */
interface Logs {
  append(entries: readonly string[]): Promise<void>;
  spans(): Promise<LogReader>;
  /** By a clock that is so much later than it is. */
  resolver(options?: { readonly laterMs: number }): Promise<ResolverLog>;
  consumer(): Promise<ConsumedLog>;
  /** Closes what is open; `disk: "lost"` also forgets what Kafka has a copy of. */
  close(options?: { readonly disk: "kept" | "lost" }): Promise<void>;
}

interface Closing {
  close(): Promise<void>;
}

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-logs-"));
  directories.push(directory);
  return directory;
}

function lmdbLogs(): Logs {
  const directory = temporaryDirectory();
  let spans: LmdbLog | undefined;
  let usage: LmdbUsageLog | undefined;
  const openSpans = () => {
    spans ??= new LmdbLog({ directory: join(directory, "spans") });
    return spans;
  };
  const openUsage = () => {
    usage ??= new LmdbUsageLog({ directory: join(directory, "usage"), identities });
    return usage;
  };
  return {
    append: async (entries) => {
      await Promise.all(entries.map((entry) => openSpans().append(Buffer.from(entry))));
    },
    spans: async () => openSpans(),
    resolver: async () => openUsage(),
    consumer: async () => openUsage(),
    async close() {
      await spans?.close();
      await usage?.close();
      [spans, usage] = [undefined, undefined];
    },
  };
}

let clusters = 0;

async function kafkaLogs(client: KafkaClient): Promise<Logs> {
  const prefix = `contract-${process.pid}-${++clusters}`;
  const topics = topicsOf({ prefix });
  await createKafkaTopics(client, { prefix, partitions: 1, replicas: 1 }, identities);
  const sink = new KafkaSpansSink(client, topics.spans);
  const open: Closing[] = [];
  let directory = temporaryDirectory();
  const opened = <Log extends Closing>(log: Log): Log => {
    open.push(log);
    return log;
  };
  const part = { client, prefix, topics, partition: 0 };
  return {
    append: async (entries) => {
      await Promise.all(entries.map((entry) => sink.append([{ partition: 0, payload: Buffer.from(entry) }])));
    },
    spans: async () => opened(await KafkaLog.open({ client, topic: topics.spans, partition: 0 })),
    resolver: async ({ laterMs } = { laterMs: 0 }) => {
      const now = () => Date.now() + laterMs;
      return opened(await KafkaResolverLog.open({ ...part, partitions: 1, directory, identities, now }));
    },
    consumer: async () => opened(await KafkaConsumedLog.open({ ...part, consumer: "writer" })),
    async close({ disk = "kept" } = { disk: "kept" as const }) {
      for (const log of open.splice(0)) await log.close();
      if (disk === "lost") directory = temporaryDirectory();
    },
  };
}

const nothing = { entries: [], traces: new Map(), wrappers: new Map(), state: {} };
const entriesOf = (...payloads: string[]) =>
  payloads.map((payload) => ({ partition: 0, payload: Buffer.from(payload) }));

function spanOf(spanId: string): SeenSpan {
  const hashes = { contentHash: 5, responseHash: 7, callHash: -1, modelHash: 0xffff, emitterHash: 3 };
  const times = { startUs: 1_763_625_600_000_001, endUs: 1_763_625_600_000_002 };
  return { spanId, parentSpanId: "00f067aa0ba902b7", ...times, revision: 2, ...hashes, rank: 200, bits: 12, place: -1 };
}

/** What a step says that saw these spans of one trace. */
function seenIn(log: ResolverLog, key: Omit<Identity, "spanId">, ...spanIds: readonly string[]) {
  const trace = log.memory.trace(key);
  const spans = spanIds.map(spanOf);
  for (const span of spans) trace.spans.set(span.spanId, span);
  return new Map([[trace, spans]]);
}

function contract(open: () => Promise<Logs>): void {
  let logs: Logs;
  beforeAll(async () => {
    logs = await open();
  });

  it("reads back in order what was appended, with offsets that increase, and says when there is no more", async () => {
    await logs.append(["a", "b", "c"]);
    const spans = await logs.spans();
    const entries = [...(await spans.read(0, 2))];
    for (let more = await spans.read(entries.at(-1)?.offset ?? 0, 2); more.length > 0; ) {
      entries.push(...more);
      more = await spans.read(entries.at(-1)?.offset ?? 0, 2);
    }
    expect(texts(entries)).toEqual(["a", "b", "c"]);
    const offsets = entries.map(({ offset }) => offset);
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    expect(new Set(offsets).size).toBe(3);
    expect(offsets[0]).toBeGreaterThan(0);
    await logs.append(["d"]);
    expect(texts(await spans.read(offsets[2] ?? 0, 10))).toEqual(["d"]);
    // From before what it has read by now, as a plan is repeated.
    expect(texts(await spans.read(offsets[0] ?? 0, 1))).toEqual(["b"]);
  });

  it("wakes a reader that waits, lets it go when it is told to, and reads on after a trim", async () => {
    const spans = await logs.spans();
    let last = 0;
    for (let more = await spans.read(last, 10); more.length > 0; more = await spans.read(last, 10))
      last = more.at(-1)?.offset ?? last;
    const woken = spans.waitFor(last, new AbortController().signal);
    await logs.append(["e"]);
    await woken;
    expect(spans.lastOffset()).toBeGreaterThan(last);
    const [entry] = await spans.read(last, 1);
    await spans.trim(entry?.offset ?? 0);
    const idle = new AbortController();
    const waiting = spans.waitFor(entry?.offset ?? 0, idle.signal);
    idle.abort();
    await waiting;
    await logs.append(["f"]);
    await spans.waitFor(entry?.offset ?? 0, new AbortController().signal);
    expect(texts(await spans.read(entry?.offset ?? 0, 10))).toEqual(["f"]);
    await logs.close();
  });

  it.each(["kept", "lost"] as const)(
    "moves output, index, wrappers, state and input offset together, found again with the disk %s",
    async (disk) => {
      const key = { tenant: "acme", traceId: disk === "kept" ? "1".repeat(32) : "2".repeat(32) };
      const [first, second] = ["b7ad6b7169203331", "b7ad6b7169203332"];
      const log = await logs.resolver();
      const before = log.inputOffset();
      const wrapper = Buffer.from("a wrapper");
      const [x, y] = await log.commit({
        inputOffset: before + 3,
        arrivedAtMs: Date.now(),
        entries: entriesOf(`x ${disk}`, `y ${disk}`),
        traces: seenIn(log, key, first),
        wrappers: new Map([
          [`gone ${disk}`, wrapper],
          [`kept ${disk}`, wrapper],
        ]),
        state: { producers: [["p", 3]] },
      });
      await log.commit({
        ...nothing,
        inputOffset: before + 7,
        arrivedAtMs: Date.now(),
        traces: seenIn(log, key, second),
        wrappers: new Map([[`gone ${disk}`, null]]),
      });
      expect(y).toBe((x ?? 0) + 1);
      await logs.close({ disk });
      const again = await logs.resolver();
      expect(again.inputOffset()).toBe(before + 7);
      expect(again.memory.state("producers")).toEqual([["p", 3]]);
      expect([...again.memory.trace(key).spans.keys()]).toEqual([first, second]);
      expect(again.memory.seen(again.memory.trace(key), first)).toEqual({ ...spanOf(first), place: 0 });
      expect(again.memory.trace({ ...key, tenant: "other" }).spans.size).toBe(0);
      expect([...again.memory.wrapperKeys()]).toContain(`kept ${disk}`);
      expect([...again.memory.wrapperKeys()]).not.toContain(`gone ${disk}`);
      expect(text(again.memory.wrapper(`kept ${disk}`) ?? Buffer.alloc(0))).toBe("a wrapper");
      await logs.close();
    },
  );

  it.each(["kept", "lost"] as const)(
    "knows what was seen before a stop longer than the horizon, with the disk %s: what waits in the log came right after",
    async (disk) => {
      const key = { tenant: "acme", traceId: disk === "kept" ? "3".repeat(32) : "4".repeat(32) };
      const log = await logs.resolver();
      const arrivedAtMs = Date.now();
      const inputOffset = log.inputOffset() + 1;
      const traces = seenIn(log, key, "b7ad6b7169203331");
      await log.commit({ ...nothing, inputOffset, arrivedAtMs, inputArrivedAtMs: arrivedAtMs, traces });
      await logs.close({ disk });
      const again = await logs.resolver({ laterMs: 2 * identities.horizonMs });
      expect([...again.memory.trace(key).spans.keys()]).toEqual(["b7ad6b7169203331"]);
      await logs.close();
    },
  );

  it("gives a consumer the entries of all steps, and its mark back when it is opened again", async () => {
    const log = await logs.resolver();
    for (const entry of ["1", "2", "3"])
      await log.commit({
        ...nothing,
        inputOffset: log.inputOffset() + 1,
        arrivedAtMs: Date.now(),
        entries: entriesOf(entry),
      });
    const consumer = await logs.consumer();
    expect(consumer.mark("writer")).toBeUndefined();
    const read: string[] = [];
    let offset = 0;
    for (let more = await consumer.entries.read(offset, 2); more.length > 0; ) {
      read.push(...texts(more));
      offset = more.at(-1)?.offset ?? offset;
      more = await consumer.entries.read(offset, 2);
    }
    expect(read).toEqual(["x kept", "y kept", "x lost", "y lost", "1", "2", "3"]);
    const mark = { offset, plan: { token: "t", from: 1, to: offset, plannedAtMs: 12 } };
    await consumer.saveMark("writer", mark);
    await logs.close({ disk: "lost" });
    expect((await logs.consumer()).mark("writer")).toEqual(mark);
    await logs.close();
  });
}

describe("logs on lmdb", () => contract(async () => lmdbLogs()));

describe("logs on the simulation's Kafka", () => {
  contract(() => kafkaLogs(new SimulatedKafka(seededRandom(3)).client()));

  it("knows what a resolver saw whose clock was minutes behind the collectors'", async () => {
    const logs = await kafkaLogs(new SimulatedKafka(seededRandom(3)).client());
    const key = { tenant: "acme", traceId: "6".repeat(32) };
    const log = await logs.resolver();
    // By the collectors' clocks the spans come four minutes after they are remembered; the next ones just within the horizon.
    const arrivedAtMs = Date.now() + 4 * 60_000;
    const traces = seenIn(log, key, "b7ad6b7169203331");
    await log.commit({ ...nothing, inputOffset: 1, arrivedAtMs, inputArrivedAtMs: arrivedAtMs, traces });
    const laterMs = arrivedAtMs + identities.horizonMs - 1000;
    await log.commit({ ...nothing, inputOffset: 2, arrivedAtMs: laterMs, inputArrivedAtMs: laterMs });
    await logs.close({ disk: "lost" });
    const again = await logs.resolver({ laterMs: 2 * identities.horizonMs });
    expect([...again.memory.trace(key).spans.keys()]).toEqual(["b7ad6b7169203331"]);
    await logs.close();
  });

  it("takes no copy of another prefix's or an earlier topic's memory for its own, however far it goes", async () => {
    const client = new SimulatedKafka(seededRandom(3)).client();
    const traceId = "5".repeat(32);
    const open = async (prefix: string, directory: string) => {
      const topics = topicsOf({ prefix });
      await createKafkaTopics(client, { prefix, partitions: 1, replicas: 1 }, identities);
      const part = { client, prefix, topics, partition: 0, partitions: 1, directory, identities, now: Date.now };
      return KafkaResolverLog.open(part);
    };
    const teach = async (log: ResolverLog, spanId: string) => {
      const traces = seenIn(log, { tenant: "acme", traceId }, spanId);
      await log.commit({ ...nothing, inputOffset: log.inputOffset() + 1, arrivedAtMs: Date.now(), traces });
    };
    const [first, second] = [temporaryDirectory(), temporaryDirectory()];
    const [one, other] = [await open("one", first), await open("other", second)];
    await teach(one, "b7ad6b7169203331");
    await teach(other, "b7ad6b7169203332");
    await teach(other, "b7ad6b7169203333");
    await one.close();
    await other.close();
    const moved = await open("other", first);
    const known = moved.memory.trace({ tenant: "acme", traceId });
    expect([...known.spans.keys()]).toEqual(["b7ad6b7169203332", "b7ad6b7169203333"]);
    await moved.close();
  });
});

describe.skipIf(missing !== undefined).each(Object.entries(kafkaClients))("logs on Kafka with %s", (_, open) => {
  let broker: TestBroker;
  let client: KafkaClient;
  beforeAll(async () => {
    broker = await startBroker();
    client = open({ brokers: [broker.address], clientId: "burnwatch-test" });
  });
  afterAll(async () => {
    await client?.close();
    await broker?.stop();
  });

  contract(() => kafkaLogs(client));

  it("lets only the last one who opened a partition make steps and marks, and keeps nothing of a former owner's", async () => {
    const logs = await kafkaLogs(client);
    const first = await logs.resolver();
    await first.commit({ ...nothing, inputOffset: 1, arrivedAtMs: 1, entries: entriesOf("first") });
    // The disk of another machine.
    const prefix = `contract-${process.pid}-${clusters}`;
    const topics = topicsOf({ prefix });
    const options = { client, prefix, topics, partition: 0 };
    const second = await KafkaResolverLog.open({
      ...options,
      partitions: 1,
      directory: temporaryDirectory(),
      identities,
      now: Date.now,
    });
    const zombie = first.commit({ ...nothing, inputOffset: 2, arrivedAtMs: 2, entries: entriesOf("zombie") });
    await expect(zombie).rejects.toBeInstanceOf(KafkaFenced);
    expect(second.inputOffset()).toBe(1);
    await second.commit({ ...nothing, inputOffset: 2, arrivedAtMs: 2, entries: entriesOf("second") });
    const consumer = await logs.consumer();
    expect(texts(await consumer.entries.read(0, 10))).toEqual(["first", "second"]);
    const heir = await logs.consumer();
    await expect(consumer.saveMark("writer", { offset: 1 })).rejects.toBeInstanceOf(KafkaFenced);
    const [, last] = await heir.entries.read(0, 10);
    await heir.saveMark("writer", { offset: last?.offset ?? 0 });
    // Behind the last entry stands the end of its transaction, which is nothing to wait for.
    await untilConsumed(client, `${prefix}.writer`, topics.usage, AbortSignal.timeout(5000));
    await second.close();
    await logs.close();
  });

  it("goes on when the broker was killed and started again", async () => {
    const logs = await kafkaLogs(client);
    const spans = await logs.spans();
    await logs.append(["before"]);
    await spans.waitFor(0, AbortSignal.timeout(10_000));
    if (process.env["BURNWATCH_TEST_KAFKA"] === undefined) await broker.killAndRestart();
    await expect
      .poll(
        () =>
          logs.append(["after"]).then(
            () => true,
            () => false,
          ),
        { timeout: 30_000 },
      )
      .toBe(true);
    await spans.waitFor(spans.lastOffset(), AbortSignal.timeout(20_000));
    const read = texts(await spans.read(0, 10));
    expect(read[0]).toBe("before");
    // An attempt whose answer was lost may have arrived: the resolver tells repeats by their ids.
    expect(new Set(read.slice(1))).toEqual(new Set(["after"]));
    await logs.close();
  }, 90_000);
});
