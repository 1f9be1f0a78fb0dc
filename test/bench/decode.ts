/** How fast OTLP bodies become spans, per core. */

import { gunzipSync, gzipSync } from "node:zlib";
import { keepsAttribute, keepsSpan } from "../../src/dialects/dialects.ts";
import { defaultDecodeLimits as limits } from "../../src/ingest/decoded-export.ts";
import { decodeJsonExport } from "../../src/ingest/otlp-json.ts";
import { decodeProtobufExport } from "../../src/ingest/otlp-protobuf.ts";
import { seededRandom } from "../../src/store/sample-records.ts";
import type { Bench, Cell } from "./bench.ts";
import { encodeProtobufRequest } from "./otlp-writer.ts";
import { payloadRequest } from "./payload.ts";
import { median } from "./statistics.ts";

const spansPerBody = 500;
const bodiesPerRound = 60;
const rounds = 7;
const filter = { keepsAttribute, keepsSpan };

export const decode: Bench = {
  name: "decode",
  summary: "OTLP bodies to spans, per core",
  async run() {
    const request = payloadRequest(spansPerBody, Date.now(), seededRandom(1));
    const protobuf = Buffer.from(encodeProtobufRequest(request));
    const json = Buffer.from(JSON.stringify(request));
    const [gzipProtobuf, gzipJson] = [gzipSync(protobuf), gzipSync(json)];
    const fromProtobuf = (body: Buffer) => decodeProtobufExport(body, limits, filter).spans.length;
    const fromJson = (body: Buffer) => decodeJsonExport(body, limits, filter).spans.length;
    const rows = [
      measure("protobuf", protobuf, () => fromProtobuf(protobuf)),
      measure("gunzip + protobuf", gzipProtobuf, () => fromProtobuf(gunzipSync(gzipProtobuf))),
      measure("JSON", json, () => fromJson(json)),
      measure("gunzip + JSON", gzipJson, () => fromJson(gunzipSync(gzipJson))),
    ];
    const columns = [
      { title: "decoder" },
      { title: "wire bytes/span", digits: 0 },
      { title: "CPU us/span", digits: 2 },
      { title: "spans/s", digits: 0 },
    ];
    const notes = [
      `Medians of ${rounds} rounds of ${bodiesPerRound} bodies, on one core, with the server's own allow-list.`,
    ];
    return [{ title: `one body of ${spansPerBody} spans, 22 + 10 attributes each`, columns, rows, notes }];
  },
};

function measure(decoder: string, body: Buffer, decodeBody: () => number): Cell[] {
  const cpuUs: number[] = [];
  const wallUs: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const cpu = process.cpuUsage();
    const wall = process.hrtime.bigint();
    let spans = 0;
    for (let i = 0; i < bodiesPerRound; i++) spans += decodeBody();
    if (spans !== spansPerBody * bodiesPerRound) throw new Error(`${decoder}: decoded ${spans} spans`);
    // The first round warms up.
    if (round === 0) continue;
    const used = process.cpuUsage(cpu);
    cpuUs.push((used.user + used.system) / spans);
    wallUs.push(Number(process.hrtime.bigint() - wall) / 1000 / spans);
  }
  return [decoder, body.length / spansPerBody, median(cpuUs), 1e6 / median(wallUs)];
}
