import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type OtlpSink, startOtlpSink } from "./otlp-sink.ts";
import { type ReplayOptions, replay } from "./replay.ts";
import type { ServerAnswers } from "./server-answers.ts";

let sink: OtlpSink;
let folder = "";
beforeEach(async () => {
  sink = await startOtlpSink();
  folder = await mkdtemp(join(tmpdir(), "burnwatch-replay-"));
});
afterEach(async () => {
  await sink.stop();
  await rm(folder, { recursive: true });
});

const conversation = new URL("data/AzureLLMInferenceTrace_conv.csv.gz", import.meta.url).pathname;
const sessions = new URL("data/claude_code_requests_dev.csv.gz", import.meta.url).pathname;

/** A server that counts the sink's spans by set, as the real one would its table. */
function counting(overrides: Partial<ServerAnswers> = {}): ServerAnswers {
  return {
    url: "http://api",
    status: async () => ({ rawRetentionDays: 90 }),
    settle: async () => {},
    replay: async (set) => {
      const spans = new Map(
        sink.spans.filter((span) => span.traceId.startsWith(set)).map((span) => [span.spanId, span]),
      );
      const sum = (key: string) =>
        [...spans.values()].reduce((total, span) => total + Number(span.attributes[`gen_ai.usage.${key}`] ?? 0), 0);
      return {
        accepted: spans.size,
        inputTokens: sum("input_tokens"),
        outputTokens: sum("output_tokens"),
        costUsd: "1.5",
        unpricedCalls: 0,
      };
    },
    producer: async () => ({ rejected: 0, reasons: {} }),
    ...overrides,
  };
}

function run(
  options: Partial<ReplayOptions>,
  io: { server?: ServerAnswers; signal?: AbortSignal; notes?: string[] } = {},
) {
  return replay(
    {
      file: conversation,
      time: "now",
      speed: "max",
      salt: "",
      environment: "replay",
      skipBad: false,
      endpoint: sink.url,
      silent: true,
      ...options,
    },
    {
      server: io.server ?? counting(),
      stderr: { write: (text: string) => io.notes?.push(text) },
      signal: io.signal,
    },
  );
}

async function csv(text: string): Promise<string> {
  const file = join(folder, "usage.csv");
  await writeFile(file, text);
  return file;
}

const records = () => sink.spans.filter((span) => span.name !== "burnwatch.final_mark");
const endMs = (span: { endNs: string }) => Number(BigInt(span.endNs) / 1_000_000n);

test("a whole trace arrives, and a second replay of it adds nothing", async () => {
  const startMs = Date.now();
  const first = await run({ tenant: "demo" });
  // Sums of the two columns of the file; formats.test.ts checks them against the text.
  expect(first).toMatchObject({ sent: 19_366, accepted: 19_366, rejected: 0, costUsd: "1.5", interrupted: false });
  const second = await run({ tenant: "demo" });
  expect(second).toMatchObject({ sent: 19_366, accepted: 19_366, set: first.set });
  expect(second.inputTokens).toBe(first.inputTokens);
  expect(new Set(records().map((span) => span.traceId + span.spanId)).size).toBe(19_366);
  expect(new Set(sink.spans.map((span) => span.resource["service.instance.id"])).size).toBe(2);
  expect(new Set(records().map((span) => span.attributes["burnwatch.tenant"]))).toEqual(new Set(["demo"]));
  const ends = records().slice(0, 19_366).map(endMs);
  expect(Math.max(...ends)).toBeGreaterThanOrEqual(startMs);
  expect(Math.max(...ends)).toBeLessThanOrEqual(Date.now());
  // From 18:15:46.680590 to 19:14:08.402527, as recorded.
  const us = records()
    .slice(0, 19_366)
    .map((span) => Number(BigInt(span.endNs) / 1000n));
  expect(Math.max(...us) - Math.min(...us)).toBe(3_501_721_937);
});

test("sessions without dates all end now, each in one trace of its own", async () => {
  const startMs = Date.now();
  const summary = await run({ file: sessions });
  expect(summary).toMatchObject({ sent: 23_109, accepted: 23_109 });
  const lastEnds = new Map<string, number>();
  for (const span of records()) {
    lastEnds.set(span.traceId, Math.max(lastEnds.get(span.traceId) ?? 0, endMs(span)));
  }
  expect(lastEnds.size).toBe(350);
  for (const lastMs of lastEnds.values()) {
    expect(lastMs).toBeGreaterThanOrEqual(startMs);
    expect(lastMs).toBeLessThanOrEqual(Date.now());
  }
});

test("an injected incident makes another set of ids", async () => {
  const inject = new URL("incidents/loop.yaml", import.meta.url).pathname;
  const plain = await run({});
  const withLoop = await run({ inject });
  expect(withLoop.sent).toBe(19_366 + 600);
  expect(withLoop.set).not.toBe(plain.set);
  expect((await run({ salt: "2" })).set).not.toBe(plain.set);
});

test("a paced replay sends a call when it ended, and dates it so", async () => {
  const at = Date.parse("2026-01-01T00:00:00Z");
  const file = await csv(`timestamp,model\n${at},a\n${at + 2_000},b\n${at + 4_000},c\n`);
  const startMs = Date.now();
  const summary = await run({ file, speed: 4 });
  expect(summary.seconds).toBeGreaterThanOrEqual(1);
  expect(summary.seconds).toBeLessThan(3);
  const ends = records().map(endMs);
  expect(ends.map((ms) => ms - (ends[0] ?? 0))).toEqual([0, 2000, 4000]);
  expect((ends[2] ?? 0) - startMs).toBeGreaterThanOrEqual(990);
  expect(ends[2]).toBeLessThanOrEqual(Date.now());
});

test("an interrupt ends a paced replay early, with a mark and a summary", async () => {
  const at = Date.parse("2026-01-01T00:00:00Z");
  const file = await csv(`timestamp,model\n${at},a\n${at + 3_600_000},b\n`);
  const summary = await run({ file, speed: 1 }, { signal: AbortSignal.timeout(300) });
  expect(summary).toMatchObject({ sent: 1, accepted: 1, interrupted: true });
  expect(sink.spans.at(-1)?.attributes).toEqual({ "burnwatch.record.final_sequence": 1 });
});

describe("original times", () => {
  test("are kept where the server keeps calls that long", async () => {
    const at = Date.now() - 5 * 86_400_000;
    const file = await csv(`timestamp,model\n${at},a\n`);
    await run({ file, time: "original" });
    expect(records().map(endMs)).toEqual([at]);
  });

  test("are refused beyond the server's retention", async () => {
    const refused = run({ time: "original" });
    await expect(refused).rejects.toThrow(/begins on 2023-11-16, \d+ days ago, and the server keeps calls for 90 days/);
    expect(sink.spans).toEqual([]);
  });

  test("are refused where the file has none", async () => {
    await expect(run({ file: sessions, time: "original" })).rejects.toThrow("--time original: the file has no dates");
  });
});

test("broken rows are skipped on demand, and said", async () => {
  const file = await csv("model,input_tokens\nm,1\nm,many\nm,3\n");
  const notes: string[] = [];
  expect(await run({ file, skipBad: true }, { notes })).toMatchObject({ sent: 2, badRows: 1, inputTokens: 4 });
  expect(notes.join("")).toContain("skipped row 2 (line 3): input_tokens: expected a whole number of tokens");
});

test("where nobody listens, one line says so and nothing else happens", async () => {
  const { url } = sink;
  await sink.stop();
  await expect(run({ endpoint: url })).rejects.toThrow(`no Burnwatch at ${url}: start one with npm start`);
  sink = await startOtlpSink();
});

test("an API that does not answer after the sending is said with what was sent", async () => {
  const server = counting({
    settle: async () => {
      throw new Error("connection refused");
    },
  });
  const file = await csv("model\nm\n");
  await expect(run({ file }, { server })).rejects.toThrow(
    "1 spans were sent and acknowledged, but http://api did not say what became of them: connection refused",
  );
});
