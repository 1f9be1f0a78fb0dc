/**
 * What older versions have written is read as they meant it; what newer ones have written is waited for, with a line that says so.
 * The bytes were written by the commit that their directory is named after (test/fixtures/entries/write.ts).
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deserialize } from "node:v8";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { AlertBook, type AlertBookState } from "../../src/alerting/alert-book.ts";
import { claimHere } from "../../src/detection/claim-judge.ts";
import { DetectionWorker } from "../../src/detection/detection-worker.ts";
import { decodeClaims, encodeClaims, foldClaims } from "../../src/detection/fold-claims.ts";
import { decodeDeadLetter } from "../../src/event-log/dead-letter.ts";
import { consumedMetadataOf } from "../../src/event-log/kafka-consumed-log.ts";
import { arrivalOf } from "../../src/event-log/kafka-resolver-log.ts";
import { metadataOf } from "../../src/event-log/kafka-stage-log.ts";
import { LmdbUsageLog } from "../../src/event-log/lmdb-usage-log.ts";
import { decodeStep } from "../../src/event-log/memory-codec.ts";
import { CorruptEntry, OtherVersionEntry } from "../../src/event-log/unreadable-entry.ts";
import { decodeMetricEntry } from "../../src/ingest/metrics/metric-entry.ts";
import { decodeNumbers } from "../../src/ingest/producer-numbers.ts";
import { decodeSpansEntry } from "../../src/ingest/spans-codec.ts";
import { decodeUsageEntry, encodeUsageEntry } from "../../src/ingest/usage-codec.ts";
import * as said from "../fixtures/entries/contents.ts";

interface Snapshot {
  readonly version: number;
  readonly offset: number;
  readonly watcher: Uint8Array;
}

const fixtures = new URL("../fixtures/entries/", import.meta.url);
const writers = readdirSync(fixtures, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [one.name] : []));
const { arrivedAtMs, records, accepted, readings, inputOffset, state } = said;
const identities = { horizonMs: 86_400_000, entriesMax: 1000 };
const wrapper = { arrivedAtMs, records: [said.call] };
const codec = { decode: decodeUsageEntry, encode: encodeUsageEntry };
const judgeWholes = claimHere({ choices: {}, seriesMax: 1000, stage: "wholes", partitions: 1 }, codec);
/** As a reader of the usage log that is asked for nothing. */
const nothing = {
  read: async () => [],
  waitFor: async () => undefined,
  trim: async () => undefined,
  lastOffset: () => 0,
};

function workerWith(mark: unknown) {
  const usage = { entries: nothing, mark: () => mark, saveMark: async () => undefined };
  return new DetectionWorker({
    usage,
    judge: judgeWholes,
    saveEveryMs: 1,
    now: () => 0,
    report: async () => undefined,
  });
}

async function claimsOf(judge: ReturnType<typeof judgeWholes>) {
  const tick = { arrivedAtMs: said.dearMinute.arrivedAtMs + 60_000, records: [] };
  const entries = [said.dearMinute, tick].map((entry, index) => ({
    offset: 99 + index,
    payload: encodeUsageEntry(entry),
  }));
  const told = (await judge.judge(entries)).flat();
  return told.flatMap(({ claims }) => claims.map(({ kind, series }) => [kind, series.feature]));
}

describe.each(writers)("what %s has written", (writer) => {
  const bytesOf = (name: string) => readFileSync(new URL(`${writer}/${name}`, fixtures));
  const snapshotOf = (name: string) => deserialize(bytesOf(name)) as Snapshot;

  it("is read from the spans topic", () => {
    expect(decodeSpansEntry(bytesOf("spans"))).toEqual({ arrivedAtMs, spans: said.spans });
  });

  it("is read from the usage topic", () => {
    expect(decodeUsageEntry(bytesOf("usage"))).toEqual({ arrivedAtMs, records, accepted, readings });
  });

  it("is read from a resolver's memory", () => {
    const { traces, wrappers, ...step } = decodeStep(bytesOf("memory"));
    expect(step).toEqual({ inputOffset, arrivedAtMs, state });
    expect(traces).toEqual([{ key: said.trace, spans: [said.seen] }]);
    expect([...wrappers.keys()]).toEqual([said.wrapperKey]);
    expect(decodeUsageEntry(wrappers.get(said.wrapperKey) ?? new Uint8Array())).toEqual(wrapper);
  });

  it("is read from the topic of sums", () => {
    const { records: sums } = decodeUsageEntry(bytesOf("deltas"));
    const { calls, input, output, costNanoUsd } = said.summed;
    const usage = { ...said.call.usage, input, output };
    expect(sums).toHaveLength(1);
    expect(sums[0]).toMatchObject({ tenant: "acme", feature: "search", calls, usage, costNanoUsd, user: "", run: "" });
  });

  it("is read from the topic of claims", () => {
    expect(decodeClaims(bytesOf("claims"))).toEqual({ version: 1, atMs: arrivedAtMs, claims: [said.claim] });
  });

  it("goes on from a snapshot of detectors: a minute that is unusual after half an hour is told", async () => {
    const mark = deserialize(gunzipSync(bytesOf("snapshot-detection.gz"))) as Snapshot;
    expect(workerWith(mark).offset()).toBe(said.calm.length);
    expect(await claimsOf(judgeWholes(mark.watcher))).toContainEqual(["spend_above_baseline", "search"]);
    expect(await claimsOf(judgeWholes(undefined))).toEqual([]);
  });

  it("goes on from a snapshot of incidents: the end of one that is known is told", async () => {
    const again = [{ offset: 2, payload: encodeClaims(arrivedAtMs + 1000, [{ ...said.claim, status: "resolved" }]) }];
    const findings = async (snapshot: Uint8Array | undefined) =>
      (await foldClaims(snapshot).judge(again)).flat().flatMap((folded) => folded.findings);
    const found = await findings(snapshotOf("snapshot-incidents").watcher);
    expect(found).toMatchObject([{ kind: "spend_above_baseline", status: "resolved" }]);
    expect(await findings(undefined)).toEqual([]);
  });

  it("is read from a book of alerts", () => {
    const book = new AlertBook(deserialize(bytesOf("snapshot-alerts")) as AlertBookState);
    expect(book.alerts()).toMatchObject([
      {
        kind: "spend_above_baseline",
        status: "firing",
        severity: "page",
        labels: { tenant: "acme", feature: "search" },
      },
    ]);
    expect(book.apply([], 1)).toBe(false);
  });

  it("is read from the places of groups", () => {
    const place = { id: "0123456789abcdef", first: 3, last: 4, chunks: 2, turn: 1 };
    const text = (name: string) => bytesOf(name).toString();
    expect(metadataOf(text("place-stage.json"), "")).toEqual({
      version: 1,
      marks: { detection: place },
      atMs: arrivedAtMs,
    });
    const mark = { offset: 4, plan: said.plan };
    expect(consumedMetadataOf(text("place-writer.json"), "")).toEqual({ log: "0123456789.2", mark });
    expect(arrivalOf(text("place-resolver.txt"))).toBe(arrivedAtMs);
  });

  it("is read from dead letters", () => {
    const { payload, ...letter } = decodeDeadLetter(bytesOf("dead-letter")) as { payload: Uint8Array };
    expect(letter).toEqual({
      topic: "burnwatch.spans",
      partition: 2,
      offset: 5,
      reason: "a reason",
      parkedAtMs: arrivedAtMs,
    });
    expect(Buffer.from(payload).toString()).toBe("not an entry");
    expect(decodeDeadLetter(bytesOf("dead-letter-replayed"))).toEqual({ replayed: 8, replayedAtMs: arrivedAtMs });
  });

  it("is read from the disk of one machine", async () => {
    const directory = mkdtempSync(join(tmpdir(), "burnwatch-entries-"));
    try {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "data.mdb"), gunzipSync(bytesOf("lmdb.gz")));
      const log = new LmdbUsageLog({ directory, identities });
      expect(log.inputOffset()).toBe(inputOffset);
      expect([...log.memory.trace(said.trace).spans.values()]).toEqual([{ ...said.seen, place: 0 }]);
      expect(decodeUsageEntry(log.memory.wrapper(said.wrapperKey) ?? new Uint8Array())).toEqual(wrapper);
      expect(log.memory.state("completeness")).toEqual(state.completeness);
      expect(log.mark("writer")).toEqual({ offset: 4, plan: said.plan });
      const [entry] = log.entries.peek(0, 1);
      expect(decodeUsageEntry(entry?.payload ?? new Uint8Array())).toEqual({ arrivedAtMs, records });
      await log.close();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("what a newer version has written is waited for", () => {
  const newest = writers.toSorted().at(-1) ?? "";
  const bytesOf = (name: string) => readFileSync(new URL(`${newest}/${name}`, fixtures));
  const later = (name: string, at: number, version: number) => {
    const bytes = Buffer.from(bytesOf(name));
    bytes[at] = version;
    return bytes;
  };
  const laterJson = (name: string, version: number) =>
    JSON.stringify({ ...(JSON.parse(bytesOf(name).toString()) as object), version });
  const snapshot = (name: string) => deserialize(bytesOf(name)) as Record<string, unknown>;
  const read: Readonly<Record<string, readonly [version: string, () => unknown]>> = {
    spans: ["spans log: entry of version 3", () => decodeSpansEntry(later("spans", 0, 3))],
    usage: ["usage log: entry of version 5", () => decodeUsageEntry(later("usage", 0, 5))],
    // A list's head, then the version.
    memory: ["a step in a resolver's memory: version 2", () => decodeStep(later("memory", 1, 2))],
    sums: ["usage log: entry of version 5", () => decodeUsageEntry(later("deltas", 0, 5))],
    claims: ["claims: version 3", () => decodeClaims(Buffer.from(laterJson("claims", 3)))],
    metrics: ["metrics: version 2", () => decodeMetricEntry(Uint8Array.of(2, ...new Uint8Array(12)))],
    "numbers of producers": [
      "numbers of producers: version 2",
      () => decodeNumbers(Buffer.from('{"version":2,"producers":[]}')),
    ],
    "state of detectors": [
      "the state of the detectors: version 5",
      () => workerWith({ ...snapshot("snapshot-incidents"), version: 5 }),
    ],
    "book of alerts": [
      "the book of alerts: version 2",
      () => new AlertBook({ ...snapshot("snapshot-alerts"), version: 2 } as unknown as AlertBookState),
    ],
    "place of a stage": ["the place of group g: version 2", () => metadataOf(laterJson("place-stage.json", 2), "g")],
    "place of a writer": [
      "the place of group g: version 2",
      () => consumedMetadataOf(laterJson("place-writer.json", 2), "g"),
    ],
    "place of a resolver": ['says "{}"', () => arrivalOf("{}")],
    "dead letter": ["a dead letter of version 2", () => decodeDeadLetter(laterLetter(bytesOf("dead-letter")))],
  };

  it.each(Object.entries(read))("%s", (_, [line, decode]) => {
    expect(decode).toThrow(OtherVersionEntry);
    expect(decode).toThrow(line);
  });

  it("memory on the disk of one machine", async () => {
    const directory = mkdtempSync(join(tmpdir(), "burnwatch-entries-"));
    const log = new LmdbUsageLog({ directory, identities });
    await log.memory.putState("format", 2);
    await log.close();
    expect(() => new LmdbUsageLog({ directory, identities })).toThrow("the resolver's memory on disk: version 2");
    rmSync(directory, { recursive: true });
  });
});

describe("what no version can have written is said to be corrupt", () => {
  const newest = writers.toSorted().at(-1) ?? "";
  const decoders = { memory: decodeStep, claims: decodeClaims, deltas: decodeUsageEntry };

  it.each(Object.entries({ metrics: decodeMetricEntry, numbers: decodeNumbers }))("of %s", (_, decode) => {
    for (const text of ["", "not an entry", "null", "[]", "{}", '{"version":"1"}', '{"version":1}', "\u0001"])
      expect(() => decode(Buffer.from(text))).toThrow(CorruptEntry);
  });

  it.each(Object.entries(decoders))("of %s, wherever it was cut off", (name, decode) => {
    const bytes = readFileSync(new URL(`${newest}/${name}`, fixtures));
    for (let length = 0; length < bytes.length; length++)
      expect(() => decode(bytes.subarray(0, length))).toThrow(CorruptEntry);
    for (const text of ["not an entry", "null", "[]", "{}", '{"version":"1"}'])
      expect(() => decode(Buffer.from(text))).toThrow(CorruptEntry);
  });
});

/** The head stands behind its length, in JSON. */
function laterLetter(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString("latin1").replace('"version":1', '"version":2'), "latin1");
}
