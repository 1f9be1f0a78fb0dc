/** A step of a resolver's memory that cannot be read: what it knew is found again in the log and in the table. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { over } from "../../test/chaos/stand-between.ts";
import { SimulatedKafka } from "../../test/simulation/kafka.ts";
import type { KafkaClient } from "../event-log/kafka-client.ts";
import { KafkaLog } from "../event-log/kafka-log.ts";
import { KafkaResolverLog } from "../event-log/kafka-resolver-log.ts";
import { createKafkaTopics, topicsOf } from "../event-log/kafka-topics.ts";
import { identityKey } from "../event-log/usage-log.ts";
import type { Span } from "../model/span.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { PriceBook } from "../pricing/price-book.ts";
import { seededRandom } from "./otlp-random.ts";
import { Resolver } from "./resolver.ts";
import { encodeSpansEntry } from "./spans-codec.ts";

const prefix = "memory";
const topics = topicsOf({ prefix });
const startMs = Date.UTC(2026, 5, 1, 12);
const [minuteMs, hourMs] = [60_000, 3_600_000];
const identities = { horizonMs: 24 * hourMs, entriesMax: 100_000 };
const parent = "b7ad6b7169203331";

let nowMs: number;
let client: KafkaClient;
let directory: string;
/** What the writers would have stored. */
let table: UsageRecord[];
let forgotten: string[];
/** The memory of the next step is written as something else. */
let isCorrupting: boolean;
beforeEach(async () => {
  nowMs = startMs;
  table = [];
  forgotten = [];
  isCorrupting = false;
  const kafka = new SimulatedKafka(seededRandom(3));
  client = corrupting(kafka.client());
  await createKafkaTopics(client, { prefix, partitions: 1, replicas: 1 }, identities);
  directory = mkdtempSync(join(tmpdir(), "burnwatch-memory-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function corrupting(real: KafkaClient): KafkaClient {
  return over(real, {
    transactions: async (id) => {
      const transactions = await real.transactions(id);
      return over(transactions, {
        commit: (messages, commit) => {
          const isCorrupt = isCorrupting && messages.some(({ topic }) => topic === topics.memory);
          if (isCorrupt) isCorrupting = false;
          const spoiled = (value: Uint8Array) =>
            Buffer.concat([value.subarray(0, value.length >> 1), Buffer.from("?")]);
          const sent = messages.map((one) =>
            isCorrupt && one.topic === topics.memory ? { ...one, value: spoiled(one.value) } : one,
          );
          return transactions.commit(sent, commit);
        },
      });
    },
  });
}

async function open() {
  const usage = await KafkaResolverLog.open({
    client,
    prefix,
    topics,
    partition: 0,
    partitions: 1,
    directory,
    identities,
    now: () => nowMs,
    forgotten: (error) => forgotten.push(error.message),
  });
  const spans = await KafkaLog.open({ client, topic: topics.spans, partition: 0 });
  const resolver = new Resolver({
    spans,
    usage,
    freshUsage: null,
    prices: new PriceBook(),
    now: () => nowMs,
    tickEveryMs: 5,
    findStored: async (wanted) => {
      const keys = new Set(wanted.map(identityKey));
      return new Map(table.filter((one) => keys.has(identityKey(one))).map((one) => [identityKey(one), one]));
    },
    observe: (step) => table.push(...step.records),
  });
  const { failed } = resolver.start();
  failed.catch((error: Error) => forgotten.push(`failed: ${error.message}`));
  return {
    resolver,
    async close() {
      await resolver.stop();
      await spans.close();
      await usage.close();
    },
  };
}

async function send(...spans: readonly Span[]): Promise<void> {
  const producer = await client.producer();
  await producer.send([{ topic: topics.spans, partition: 0, value: encodeSpansEntry({ arrivedAtMs: nowMs, spans }) }]);
  await producer.close();
  await resolved();
}

async function resolved(): Promise<void> {
  const end = (await client.endOffsets(topics.spans)).get(0) ?? 0;
  await expect.poll(async () => (await client.committed(`${prefix}.resolver`, topics.spans)).get(0)?.offset).toBe(end);
}

function span(spanId: string, traceId: string, more: Partial<Span> = {}, operation = "chat"): Span {
  return {
    traceId: traceId.repeat(32),
    spanId,
    parentSpanId: "",
    name: operation,
    scope: "",
    startUs: (nowMs - 100) * 1000,
    endUs: nowMs * 1000,
    status: "ok",
    attributes: {
      "gen_ai.operation.name": operation,
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.usage.input_tokens": 1000,
    },
    resource: {},
    ...more,
  };
}

const billed = () => {
  const calls = new Map<string, number>();
  for (const record of table) calls.set(record.spanId, (calls.get(record.spanId) ?? 0) + record.calls);
  return Object.fromEntries([...calls].sort());
};

describe("a step of the memory that cannot be read", () => {
  it("is said, and neither bills anything twice nor loses a wrapper that was only kept there", async () => {
    const first = await open();
    await send(span("a1", "a", { spanId: "aaaaaaaaaaaaaaa1" }));
    nowMs += minuteMs;
    const inHole = span("bbbbbbbbbbbbbbb1", "b");
    const alone = span(parent, "c", {}, "invoke_agent");
    isCorrupting = true;
    await send(inHole, alone);
    expect(isCorrupting).toBe(false);
    nowMs += 5000;
    const after = span("ddddddddddddddd1", "d");
    await send(after);
    await first.close();
    expect(billed()).toEqual({ aaaaaaaaaaaaaaa1: 1, bbbbbbbbbbbbbbb1: 1, ddddddddddddddd1: 1 });

    // The disk is lost: all there is of the memory is the topic.
    rmSync(directory, { recursive: true });
    nowMs += minuteMs;
    const second = await open();
    expect(forgotten).toEqual([expect.stringMatching(/^memory\.memory\/0 at \d+: a corrupt step of \d+ bytes/)]);
    await resolved();
    await send(inHole, after, span("eeeeeeeeeeeeeee1", "e"));
    nowMs += 2 * minuteMs;
    await expect.poll(() => second.resolver.held().traces).toBe(0);
    await second.close();
    // The agent's span, whose trace had no call, is billed for itself, as it would have been.
    const all = { aaaaaaaaaaaaaaa1: 1, bbbbbbbbbbbbbbb1: 1, ddddddddddddddd1: 1, eeeeeeeeeeeeeee1: 1, [parent]: 1 };
    expect(billed()).toEqual(all);

    // Mended once: whoever comes next, with a disk or without, goes on.
    rmSync(directory, { recursive: true });
    const third = await open();
    const offset = (await client.committed(`${prefix}.resolver`, topics.spans)).get(0)?.offset;
    await send(inHole, after);
    expect((await client.committed(`${prefix}.resolver`, topics.spans)).get(0)?.offset).toBeGreaterThan(offset ?? 0);
    await third.close();
    expect(billed()).toEqual(all);
    expect(forgotten.filter((line) => line.startsWith("failed"))).toEqual([]);
  });
});
