/** Batches made in one piece against those of the library, byte by byte. */

import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { useRecordBatch } from "./kafkajs-record-batch.ts";
import { useZstd } from "./kafkajs-zstd.ts";

interface Encoded {
  readonly buffer: Buffer;
}

const require = createRequire(import.meta.url);
const batchPath = "kafkajs/src/protocol/recordBatch/v0/index.js";
const written = () => (require(batchPath) as { RecordBatch(batch: object): Promise<Encoded> }).RecordBatch;
const library = written();
useZstd();
useRecordBatch();
const recordOf = require("kafkajs/src/protocol/recordBatch/record/v0/index.js") as (record: object) => Encoded;
const Long = require("kafkajs/src/utils/long.js") as { fromValue(value: string): unknown };
/** As the brokers gave it, and as the library keeps it; none outside of transactions. */
const producers = [undefined, "4611686018427387905", Long.fromValue("4611686018427387905"), 1000];

const codecs = { none: 0, gzip: 1, zstd: 4 };
const texts = ["", "one", "three hundred ".repeat(30), "x".repeat(5000)];

it.each(Object.entries(codecs))("are the library's, with %s, in a transaction and outside", async (_, compression) => {
  for (const producerId of producers)
    for (let count = 1; count <= texts.length; count++) {
      const records = texts.slice(0, count).map((text, offsetDelta) =>
        recordOf({
          offsetDelta,
          timestampDelta: offsetDelta,
          key: offsetDelta % 2 === 0 ? null : "key",
          value: text,
        }),
      );
      const times = { firstTimestamp: 1_796_000_000_000, maxTimestamp: 1_796_000_000_003 };
      const producer = {
        ...(producerId === undefined ? {} : { producerId }),
        producerEpoch: 7,
        firstSequence: 2 ** 31 - 1,
      };
      const transactional = producerId !== undefined;
      const batch = { compression, transactional, lastOffsetDelta: count - 1, records, ...times, ...producer };
      expect((await written()(batch)).buffer).toEqual((await library(batch)).buffer);
    }
});
