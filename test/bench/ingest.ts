/** What a span costs from the body of a request to a record with role and price, per core. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dialectOf, keepsAttribute, keepsSpan } from "../../src/dialects/dialects.ts";
import { LmdbUsageLog } from "../../src/event-log/lmdb-usage-log.ts";
import { type DecodedExport, defaultDecodeLimits as limits } from "../../src/ingest/decoded-export.ts";
import { HeldTraces, heldLimitsDefault } from "../../src/ingest/held-traces.ts";
import { decodeJsonExport } from "../../src/ingest/otlp-json.ts";
import { decodeProtobufExport } from "../../src/ingest/otlp-protobuf.ts";
import { StepDraft } from "../../src/ingest/step-draft.ts";
import { usageRecord } from "../../src/ingest/usage-record.ts";
import { PriceBook } from "../../src/pricing/price-book.ts";
import { seededRandom } from "../../src/store/sample-records.ts";
import type { Bench, BenchOptions, Cell, Table } from "./bench.ts";
import { type CpuProfile, costColumns, selfTimes, sharesOf } from "./cpu-profile.ts";
import { flameGraph } from "./flame-graph.ts";
import { encodeProtobufRequest } from "./otlp-writer.ts";
import { payloadRequest } from "./payload.ts";
import { benchDirectory } from "./results.ts";
import { accept, encode, identities, openLogs, resolve } from "./stages.ts";
import { median } from "./statistics.ts";

const spansPerBody = 500;
const bodiesPerRound = 60;
/** Bodies of one step of the resolver. */
const bodiesPerStep = 16;
const rounds = 7;
const profiledRounds = 10;
const functionsShown = 25;
const filter = { keepsAttribute, keepsSpan };
const arrivedAtMs = Date.now();

type Format = "protobuf" | "JSON";
/** Microseconds of CPU of one round over these bodies. */
type Measured = (bodies: readonly Buffer[], format: Format) => Promise<number>;

const paths: readonly { readonly path: string; readonly reach: number; readonly measure: Measured }[] = [
  { path: "decode", reach: 200_000, measure: measureDecode },
  { path: "decode + normalise", reach: 200_000, measure: measureNormalise },
  { path: "the same + price + role", reach: 100_000, measure: measureRoles },
  { path: "the same, durable", reach: 100_000, measure: measureDurable },
];

export const ingest: Bench = {
  name: "ingest",
  summary: "decode, dialect, role and price, per core; a flame graph of what remains",
  async run({ progress }: BenchOptions) {
    const rows: Cell[][] = [];
    for (const format of ["protobuf", "JSON"] as const) {
      for (const { path, reach, measure } of paths) {
        progress(`${format}: ${path}`);
        const costs: number[] = [];
        let bytes = 0;
        // The first round warms up.
        for (let round = 0; round <= rounds; round++) {
          const bodies = bodiesOf(format, round);
          bytes = bodies.reduce((sum, body) => sum + body.length, 0) / (bodiesPerRound * spansPerBody);
          const us = (await measure(bodies, format)) / (bodiesPerRound * spansPerBody);
          if (round > 0) costs.push(us);
        }
        rows.push([format, path, bytes, median(costs), 1e6 / median(costs), reach]);
      }
    }
    return [
      {
        title: `a body of ${spansPerBody} spans, 22 + 10 attributes each, five to a trace; ${bodiesPerRound} bodies`,
        columns: [
          { title: "body" },
          { title: "path" },
          { title: "wire bytes/span", digits: 0 },
          { title: "CPU us/span", digits: 2 },
          { title: "spans/s per core", digits: 0 },
          { title: "to reach", digits: 0 },
        ],
        rows,
        notes: [
          `Medians of ${rounds} rounds; process.cpuUsage, so that threads that collect garbage or write for lmdb count; per core is its inverse.`,
          "normalise: the dialect's reading. price + role: records, identity and roles by the resolver's own steps, nothing committed.",
          "durable: encode, spans log, resolver, usage log; two lmdb logs with fsync. Inflation and HTTP are in end-to-end.",
        ],
      },
      await profileRoles(progress),
    ];
  },
};

/** What remains by function, from protobuf to a record with role and price, and the files that show it whole. */
async function profileRoles(progress: BenchOptions["progress"]): Promise<Table> {
  progress("protobuf: profile");
  const all = Array.from({ length: profiledRounds }, (_, round) => bodiesOf("protobuf", round));
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 200 });
  await session.post("Profiler.start");
  let cpuUs = 0;
  for (const bodies of all) cpuUs += await measureRoles(bodies, "protobuf");
  const profile: CpuProfile = (await session.post("Profiler.stop")).profile;
  session.disconnect();
  mkdirSync(benchDirectory, { recursive: true });
  writeFileSync(join(benchDirectory, "ingest.cpuprofile"), JSON.stringify(profile));
  writeFileSync(join(benchDirectory, "ingest-flame.svg"), flameGraph(profile, "decode, dialect, price and role"));
  const { functions } = selfTimes(profile);
  const busyUs = [...functions.values()].reduce((sum, us) => sum + us, 0);
  const wholeUs = cpuUs / (profiledRounds * bodiesPerRound * spansPerBody);
  const costs = [...functions].map(([name, us]) => [name, (wholeUs * us) / busyUs] as const);
  return {
    title: "self time by function, protobuf to price + role",
    columns: costColumns,
    rows: sharesOf(costs, { wholeUs, shown: functionsShown }),
    notes: [
      "Flame graph: .burnwatch/bench/ingest-flame.svg; the profile, for a browser's tools: ingest.cpuprofile beside it.",
      "us/span: the share of the CPU of these rounds, the profiler's included. What V8 inlines counts for the caller.",
    ],
  };
}

/** New spans each round: what is sent twice costs less. */
function bodiesOf(format: Format, round: number): Buffer[] {
  const random = seededRandom(round + 1);
  return Array.from({ length: bodiesPerRound }, () => {
    const request = payloadRequest(spansPerBody, arrivedAtMs, random);
    return Buffer.from(format === "JSON" ? JSON.stringify(request) : encodeProtobufRequest(request));
  });
}

function decoded(body: Buffer, format: Format): DecodedExport {
  return format === "JSON" ? decodeJsonExport(body, limits, filter) : decodeProtobufExport(body, limits, filter);
}

async function cpuUsOf(work: () => Promise<number> | number): Promise<number> {
  const before = process.cpuUsage();
  const spans = await work();
  const { user, system } = process.cpuUsage(before);
  if (spans !== bodiesPerRound * spansPerBody) throw new Error(`${spans} spans came through`);
  return user + system;
}

function measureDecode(bodies: readonly Buffer[], format: Format): Promise<number> {
  return cpuUsOf(() => bodies.reduce((sum, body) => sum + decoded(body, format).spans.length, 0));
}

function measureNormalise(bodies: readonly Buffer[], format: Format): Promise<number> {
  return cpuUsOf(() => {
    let spans = 0;
    for (const body of bodies)
      for (const span of decoded(body, format).spans) if (dialectOf(span)?.read(span)?.usage != null) spans++;
    return spans;
  });
}

async function measureRoles(bodies: readonly Buffer[], format: Format): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-ingest-"));
  const usage = new LmdbUsageLog({ directory, identities });
  const held = new HeldTraces(heldLimitsDefault);
  const prices = new PriceBook();
  try {
    return await cpuUsOf(() => {
      let records = 0;
      for (let start = 0; start < bodies.length; start += bodiesPerStep) {
        const draft = new StepDraft(usage, held, identities.horizonMs);
        for (const body of bodies.slice(start, start + bodiesPerStep)) {
          for (const span of decoded(body, format).spans) {
            const reading = dialectOf(span)?.read(span);
            if (reading == null) continue;
            const { dialect, level } = reading;
            const record = usageRecord(span, reading, arrivedAtMs, prices);
            draft.take(record, { dialect, level, scope: span.scope }, arrivedAtMs);
          }
        }
        draft.settle(arrivedAtMs);
        records += draft.records.length;
      }
      return records;
    });
  } finally {
    await usage.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureDurable(bodies: readonly Buffer[], format: Format): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-ingest-"));
  const logs = openLogs(directory);
  try {
    return await cpuUsOf(async () => {
      await accept(logs, encode(bodies.map((body) => decoded(body, format))));
      await resolve(logs);
      return logs.usage.memory.identityStats(arrivedAtMs).entries;
    });
  } finally {
    await logs.spans.close();
    await logs.usage.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
