/**
 * What a span costs in each part of a cluster: collector into Kafka, resolver from Kafka to Kafka, writer into ClickHouse;
 * by Kafka client, size of message and codec. Then how a stop of resolvers and writers is caught up.
 */

import type { KafkaClient } from "../../src/event-log/kafka-client.ts";
import { type KafkaCodec, kafkajsClient } from "../../src/event-log/kafkajs-client.ts";
import { kafkaMissing, startBroker } from "../support/kafka-broker.ts";
import { kafkaClients } from "../support/kafka-clients.ts";
import type { Bench, BenchOptions, Cell, Table } from "./bench.ts";
import { type Cost, measureRound, partitions } from "./cluster-parts.ts";
import { recoveryTable } from "./cluster-recovery.ts";
import { clientsTable } from "./kafka-clients.ts";
import { median } from "./statistics.ts";

const spans = 60_000;
const toReach = 100_000;

/** A way to run the same load. */
interface Variant {
  readonly client: string;
  readonly codec: KafkaCodec;
  /** Decides the size of messages: an export becomes one for each partition. */
  readonly spansPerBody: number;
}

const usual: Variant = { client: "kafkajs", codec: "zstd", spansPerBody: 500 };
const variants: readonly Variant[] = [
  usual,
  { ...usual, spansPerBody: 100 },
  { ...usual, spansPerBody: 2000 },
  { ...usual, codec: "gzip" },
  { ...usual, codec: "none" },
  { ...usual, client: "platformatic" },
  { ...usual, client: "platformatic", spansPerBody: 2000 },
];

interface Measured {
  readonly variant: Variant;
  readonly messageBytes: number;
  readonly stages: ReadonlyMap<string, readonly Cost[]>;
}

export const cluster: Bench = {
  name: "cluster",
  summary: "collector, resolver and writer over a real Kafka broker, per core; Kafka clients; recovery after a stop",
  async run({ runs, stopSeconds, progress }: BenchOptions) {
    const missing = await kafkaMissing();
    if (missing !== undefined) return [];
    const broker = await startBroker();
    try {
      const measured: Measured[] = [];
      for (const variant of variants) measured.push(await measureVariant(variant, broker.address, { runs, progress }));
      return [
        ...measured.slice(0, 1).map((first) => stagesTable(first, runs)),
        variantsTable(measured, runs),
        await recoveryTable(broker.address, { stopSeconds, progress }),
        await clientsTable(broker.address, progress),
      ];
    } finally {
      await broker.stop();
    }
  },
};

async function measureVariant(
  variant: Variant,
  address: string,
  { runs, progress }: Pick<BenchOptions, "runs" | "progress">,
): Promise<Measured> {
  const client = openClient(variant, address);
  const stages = new Map<string, Cost[]>();
  const load = { bodies: spans / variant.spansPerBody, spansPerBody: variant.spansPerBody };
  let messageBytes = 0;
  try {
    // The first round warms up.
    for (let round = 0; round <= runs; round++) {
      const name = [variant.client, variant.codec, variant.spansPerBody].join("-");
      progress(`${name}, round ${round} of ${runs}`);
      const measured = await measureRound(client, `${name}-${process.pid}-${round}`, load);
      messageBytes = measured.messageBytes;
      if (round > 0)
        for (const [stage, cost] of measured.costs) stages.set(stage, [...(stages.get(stage) ?? []), cost]);
    }
    return { variant, messageBytes, stages };
  } finally {
    await client.close();
  }
}

function openClient({ client, codec }: Variant, address: string): KafkaClient {
  const at = { brokers: [address], clientId: "burnwatch-bench" };
  if (client === "kafkajs") return kafkajsClient(at, codec);
  const open = kafkaClients[client];
  if (open === undefined) throw new Error(`no Kafka client "${client}"`);
  return open(at);
}

function perSpanUs(costs: readonly Cost[], of: (cost: Cost) => number): number {
  return median(costs.map(of)) / spans;
}

function stagesTable({ variant, stages }: Measured, runs: number): Table {
  const rows = Array.from(stages, ([stage, costs]): Cell[] => {
    const cpuUs = perSpanUs(costs, (cost) => cost.cpuUs);
    const mainUs = perSpanUs(costs, (cost) => cost.mainUs);
    const seen = spans / median(costs.map(({ seconds }) => seconds));
    return [stage, cpuUs, mainUs, cpuUs - mainUs, 1e6 / cpuUs, seen, toReach];
  });
  return {
    title: `${spans} spans in exports of ${variant.spansPerBody}, ${partitions} partitions of each topic, zstd, one broker`,
    columns: [
      { title: "part" },
      { title: "CPU us/span", digits: 2 },
      { title: "main thread", digits: 2 },
      { title: "others", digits: 2 },
      { title: "spans/s per core", digits: 0 },
      { title: "spans/s seen", digits: 0 },
      { title: "to reach per core", digits: 0 },
    ],
    rows,
    notes: [
      `Medians of ${runs} rounds; process.cpuUsage of this process: the broker and ClickHouse are processes of their own on the same cores. Other threads compress, commit to lmdb and collect garbage.`,
      "collector: decode, encode by partition, append; inflation and HTTP are not in it. resolver: fetch, resolve, transaction, copy of its memory. writer: fetch, plan, encode, insert.",
    ],
  };
}

function variantsTable(measured: readonly Measured[], runs: number): Table {
  const rows = measured.map(({ variant, messageBytes, stages }): Cell[] => {
    const costs = [...stages.values()].map((of) => perSpanUs(of, ({ cpuUs }) => cpuUs));
    const [decode = Number.NaN, append = Number.NaN, resolver = Number.NaN, writer = Number.NaN] = costs;
    const perCore = [decode + append, resolver, writer].map((us) => 1e6 / us);
    return [variant.client, variant.codec, variant.spansPerBody, messageBytes / 1024, append, ...perCore];
  });
  return {
    title: `Spans/s per core by Kafka client, codec and size of messages, ${spans} spans each`,
    columns: [
      { title: "client" },
      { title: "codec" },
      { title: "spans/export", digits: 0 },
      { title: "message KiB", digits: 1 },
      { title: "append us/span", digits: 2 },
      { title: "collector", digits: 0 },
      { title: "resolver", digits: 0 },
      { title: "writer", digits: 0 },
    ],
    rows,
    notes: [
      `Medians of ${runs} rounds. A message is one export's spans of one partition, before it is compressed; codecs are those of this project's producers, and what the broker keeps.`,
    ],
  };
}
