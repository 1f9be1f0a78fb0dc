/** `node test/bench/write-capacity.ts`: makes `deploy/CAPACITY.md` of the results that `npm run bench -- capacity` kept. */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type KafkaTopics, topicSpecs, topicsOf } from "../../src/event-log/kafka-topics.ts";
import { keptMsMost } from "../../src/event-log/topic-faults.ts";
import { type CapacityResults, capacityResults, type Fit, fitsOf } from "./capacity.ts";

const target = fileURLToPath(new URL("../../deploy/CAPACITY.md", import.meta.url));
const rates = [1000, 100_000, 10_000_000];
const spansPerRequest = 500;
/** Processes are sized to be busy for this share: the rest catches up after a stop, and waits for others. */
const busyShare = 0.6;
/** Measured on one machine by `npm run bench`, on a quiet day: README. Not part of a cluster's bench. */
const oneMachine = { detectUs: 19.4, insertUs: 5.8, rowBytes: 65 };
/**
 * What watches wholes is one process: all sums go to one partition (DECISIONS 98). Measured by
 * `npm run bench -- detection-stages` with 100 and with 10,000 features in a partition.
 */
const wholes = { sumsPerRecord: [0.16, 0.61], usPerSum: [3.1, 8.4] } as const;
const ceilingSpans = [
  1e6 / (wholes.usPerSum[1] * wholes.sumsPerRecord[1]),
  1e6 / (wholes.usPerSum[0] * wholes.sumsPerRecord[0]),
] as const;
const replicas = 3;
/** Of a span, or of a sum, in the topics: estimates. Snapshots and the rest hold the last of each key, or next to nothing. */
const topicBytes = { spans: 150, usage: 90, memory: 52, deltas: 60 * wholes.sumsPerRecord[1] } as const;
const identityHours = 1;
const rowDays = 90;

/** The document. @param results as they were kept. */
export function capacityDocument(results: CapacityResults): string {
  const fits = fitsOf(results.measured);
  const largest = Math.max(...results.measured.map(({ bodies, spansPerBody }) => bodies * spansPerBody));
  const sizes = [...new Set(results.measured.map(({ spansPerBody }) => spansPerBody))];
  const fastest = Math.max(...results.measured.map((one) => (one.bodies * one.spansPerBody) / one.seconds));
  const us = ({ perSpanUs, perRequestUs }: Fit) => perSpanUs + perRequestUs / spansPerRequest;
  return `# Capacity of a cluster

Made by \`node test/bench/write-capacity.ts\` of \`deploy/capacity.json\`, which \`npm run bench -- capacity\` writes. Measured ${results.at.slice(0, 10)} at commit
${results.commit ?? "unknown (not kept then)"} on ${results.machine}; load average before ${results.loadBefore.toFixed(1)}, after ${results.loadAfter.toFixed(1)}: above 2 other programs took their share, and a span seems dearer than it is.
Broker, ClickHouse and the measured part shared these cores.

## What was measured

CPU of each part = spans x a + requests x b, fitted to exports of ${sizes.join(", ")} spans by least squares of relative errors. The largest load had ${whole(largest)} spans,
the fastest stage moved ${whole(fastest)} spans/s in one process. Everything below "Extrapolated" is beyond that.

| part | a, us a span | b, us a request | residuals by size, % | spans/s per core at ${spansPerRequest} a request |
|---|---|---|---|---|
${fits.map((fit) => `| ${fit.stage} | ${fit.perSpanUs.toFixed(2)} | ${fit.perRequestUs.toFixed(0)} | ${fit.residuals.map((residual) => (100 * residual).toFixed(0)).join(", ")} | ${whole(1e6 / us(fit))} |`).join("\n")}

A residual is measured over fitted, minus one. Resolver and writer work by steps and batches, not by requests: b is there what small steps cost.

## Extrapolated

Cores at ${100 * busyShare} % busy, exports of ${spansPerRequest} spans. No rate of this table was run; 10M spans/s is a straight line through what one process did.

| | ${rates.map((rate) => `${whole(rate)} spans/s`).join(" | ")} |
|---|${rates.map(() => "---|").join("")}
${fits.map((fit) => `| ${fit.stage}, cores | ${rates.map((rate) => coresOf(us(fit), rate)).join(" | ")} |`).join("\n")}
| insert in ClickHouse, cores (one machine's bench) | ${rates.map((rate) => coresOf(oneMachine.insertUs, rate)).join(" | ")} |
| detectors of features, cores (one machine's bench; not part of this fit) | ${rates.map(detectorCores).join(" | ")} |
| the one process that watches wholes, busy | ${rates.map(wholesBusy).join(" | ")} |
| partitions of each topic, at least (one resolver and one writer each, on one core) | ${rates.map((rate) => whole(partitionsFor(fits, us, rate))).join(" | ")} |
| disk of the brokers, ${replicas} copies, TB (estimate, not measured: ${keptText()}) | ${rates.map((rate) => terabytes(rate * kafkaByteSeconds() * replicas)).join(" | ")} |
| disk of ClickHouse, ${rowDays} days, one copy, TB (${oneMachine.rowBytes} bytes a record, measured at 50M) | ${rates.map((rate) => terabytes(rate * oneMachine.rowBytes * rowDays * 86_400)).join(" | ")} |

All sums of the cluster go to one partition and one process, which no number of cores divides: at ${wholes.sumsPerRecord.join(" to ")} sums a record and ${wholes.usPerSum.join(" to ")} us
a sum it takes ${rounded(1e6 / wholes.usPerSum[1])} to ${rounded(1e6 / wholes.usPerSum[0])} sums/s on a core, which are ${rounded(ceilingSpans[0])} to ${rounded(ceilingSpans[1])} spans/s, by how many features a partition has. Beyond that
spend, request rate, silence and price drift of tenants, providers and the fleet cannot be watched by this version; what watches features can.

Claims (${hoursOf("claims")} h) and snapshots (the last two of each) grow with series and incidents, not with spans: a few gigabytes at most, not counted above.

## Lag after an hour's stop

At 1,000 spans/s an hour leaves 3,600,000 spans. Scaled from the drain of the largest load (${whole(largest)} spans from a backlog, one process of each part, one after the other on shared cores),
while 1,000 spans/s go on arriving. \`npm run bench -- cluster --stop-seconds 3600\` runs the hour itself.

| part | drains, spans/s | minutes until nothing is left |
|---|---|---|
${drainRows(results)}

## Missing

The numbers are of the code at their commit and of that machine: run the command again on yours, while nothing else works there, before buying anything.

HTTP, gRPC and inflation in the collector (some 15 us a span on one machine), the brokers' own CPU, the network, alerters, budgets and the API.
`;
}

function drainRows({ measured }: CapacityResults): string {
  const [arriving, backlog] = [1000, 3_600_000];
  return ["resolver", "writer"]
    .flatMap((stage) => measured.filter((one) => one.stage === stage).slice(-1))
    .map(({ stage, bodies, spansPerBody, seconds }) => {
      const rate = (bodies * spansPerBody) / seconds;
      return `| ${stage} | ${whole(rate)} | ${(backlog / (rate - arriving) / 60).toFixed(1)} |`;
    })
    .join("\n");
}

function coresOf(us: number, rate: number): string {
  const cores = (us * rate) / 1e6 / busyShare;
  return cores < 10 ? cores.toFixed(cores < 1 ? 2 : 1) : whole(cores);
}

function partitionsFor(fits: readonly Fit[], us: (fit: Fit) => number, rate: number): number {
  const ordered = fits.filter(({ stage }) => stage === "resolver" || stage === "writer");
  return Math.max(1, Math.ceil((Math.max(...ordered.map(us)) * rate) / 1e6 / busyShare));
}

function detectorCores(rate: number): string {
  return `${coresOf(oneMachine.detectUs, rate)}${rate > ceilingSpans[1] ? ", for features alone" : ""}`;
}

function wholesBusy(rate: number): string {
  const [most, least] = ceilingSpans.map((ceiling) => (100 * rate) / ceiling);
  if (least !== undefined && least > 100) return "not possible";
  const percent = (share = 0) => (share < 1 ? share.toFixed(1) : whole(share));
  return `${percent(least)} to ${percent(most)} %${most !== undefined && most > 100 ? ": not possible with many features" : ""}`;
}

/** How long a topic is kept, by its specification: retention and the segment that goes whole. */
function hoursOf(name: keyof KafkaTopics): number {
  const layout = { prefix: "p", partitions: 1, replicas };
  const specs = topicSpecs(layout, { horizonMs: identityHours * 3_600_000 });
  const spec = specs.find(({ topic }) => topic === topicsOf(layout)[name]);
  return keptMsMost([spec?.settings ?? {}]) / 3_600_000;
}

/** Of the topics that grow with the spans. */
function keptTopics(): readonly { readonly name: keyof typeof topicBytes; readonly hours: number }[] {
  return (Object.keys(topicBytes) as (keyof typeof topicBytes)[]).map((name) => ({ name, hours: hoursOf(name) }));
}

function keptText(): string {
  return keptTopics()
    .map(({ name, hours }) => `${name} ${topicBytes[name].toFixed(0)} bytes a span for ${hours} h`)
    .join(", ");
}

function kafkaByteSeconds(): number {
  return keptTopics().reduce((sum, { name, hours }) => sum + topicBytes[name] * hours * 3600, 0);
}

/** To two digits. */
function rounded(number: number): string {
  return Number(number.toPrecision(2)).toLocaleString("en-GB");
}

function terabytes(bytes: number): string {
  const size = bytes / 1e12;
  return size < 10 ? size.toFixed(2) : whole(size);
}

function whole(number: number): string {
  return Math.round(number).toLocaleString("en-GB");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = JSON.parse(readFileSync(capacityResults, "utf8")) as CapacityResults;
  writeFileSync(target, capacityDocument(results));
}
