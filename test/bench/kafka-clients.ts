/** The Kafka clients side by side, behind the same contract: what a megabyte costs to append and to read. */

import { randomBytes } from "node:crypto";
import type { KafkaClient, KafkaMessage } from "../../src/event-log/kafka-client.ts";
import { kafkaClients } from "../support/kafka-clients.ts";
import type { Cell, Table } from "./bench.ts";
import { median } from "./statistics.ts";

const totalBytes = 48 * 1024 * 1024;
const messageBytes = [16, 128, 1024].map((kilobytes) => kilobytes * 1024);
const requestBytes = 4 * 1024 * 1024;
const rounds = 3;
const transactionsOfRound = 100;

/** CPU of this process for each client and size of message. */
export async function clientsTable(address: string, progress: (line: string) => void): Promise<Table> {
  const rows: Cell[][] = [];
  for (const [name, open] of Object.entries(kafkaClients)) {
    const client = open({ brokers: [address], clientId: "burnwatch-bench" });
    for (const bytes of messageBytes) {
      progress(`${name}: messages of ${bytes / 1024} KiB`);
      const measured: Measured[] = [];
      // The first round warms up.
      for (let round = 0; round <= rounds; round++)
        measured.push(await measureRound(client, `${name}-${bytes}-${round}-${process.pid}`, bytes));
      const of = (value: (one: Measured) => number) => median(measured.slice(1).map(value));
      rows.push([
        name,
        bytes / 1024,
        of(({ appendCpuMs }) => appendCpuMs),
        of(({ appendMbPerSecond }) => appendMbPerSecond),
        of(({ readCpuMs }) => readCpuMs),
        of(({ readMbPerSecond }) => readMbPerSecond),
        of(({ transactionMs }) => transactionMs),
      ]);
    }
    await client.close();
  }
  return {
    title: `Kafka clients: ${totalBytes / 1024 / 1024} MiB of half-random messages, zstd, requests of ${requestBytes / 1024 / 1024} MiB`,
    columns: [
      { title: "client" },
      { title: "message KiB", digits: 0 },
      { title: "append CPU ms/MB", digits: 2 },
      { title: "append MB/s", digits: 0 },
      { title: "read CPU ms/MB", digits: 2 },
      { title: "read MB/s", digits: 0 },
      { title: "ms/transaction", digits: 1 },
    ],
    rows,
    notes: [
      `Medians of ${rounds} rounds; CPU of this process with its threads: zstd runs there, the broker does not.`,
      `A transaction appends one message and moves a group; ${transactionsOfRound} in a row.`,
    ],
  };
}

interface Measured {
  readonly appendCpuMs: number;
  readonly appendMbPerSecond: number;
  readonly readCpuMs: number;
  readonly readMbPerSecond: number;
  readonly transactionMs: number;
}

async function measureRound(client: KafkaClient, topic: string, bytes: number): Promise<Measured> {
  const settings = { "max.message.bytes": String(16 * 1024 * 1024) };
  await client.createTopics([{ topic, partitions: 1, replicas: 1, settings }]);
  const message = { topic, partition: 0, value: halfRandom(bytes) };
  const request: KafkaMessage[] = Array.from({ length: requestBytes / bytes }, () => message);
  const producer = await client.producer();
  const append = await measured(async () => {
    for (let sent = 0; sent < totalBytes; sent += requestBytes) await producer.send(request);
  });
  await producer.close();
  const reader = await client.reader(topic, 0);
  const read = await measured(async () => {
    let got = 0;
    for (let offset = 0; got < totalBytes; ) {
      const { records, nextOffset } = await reader.fetch({ offset, bytesMax: requestBytes, waitMs: 100 });
      for (const { value } of records) got += value.length;
      offset = nextOffset;
    }
  });
  await reader.close();
  const transactions = await client.transactions(`${topic}.id`);
  const commit = { group: `${topic}.group`, topic, partition: 0, offset: 1, metadata: "" };
  const many = await measured(async () => {
    for (let n = 0; n < transactionsOfRound; n++)
      await transactions.commit([{ ...message, value: message.value.subarray(0, 1024) }], commit);
  });
  await transactions.close();
  const megabytes = totalBytes / 1e6;
  return {
    appendCpuMs: append.cpuMs / megabytes,
    appendMbPerSecond: megabytes / append.seconds,
    readCpuMs: read.cpuMs / megabytes,
    readMbPerSecond: megabytes / read.seconds,
    transactionMs: (many.seconds * 1000) / transactionsOfRound,
  };
}

async function measured(work: () => Promise<void>): Promise<{ readonly cpuMs: number; readonly seconds: number }> {
  const [before, startedAt] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1000, seconds: (performance.now() - startedAt) / 1000 };
}

/** Compresses about as packed spans do. */
function halfRandom(bytes: number): Uint8Array {
  const value = Buffer.alloc(bytes, "gen_ai.usage.input_tokens ");
  for (let at = 0; at + 64 <= bytes; at += 128) randomBytes(64).copy(value, at);
  return value;
}
