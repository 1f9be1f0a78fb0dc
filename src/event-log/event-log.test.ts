import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { LmdbLog } from "./lmdb-log.ts";
import { LmdbUsageLog } from "./lmdb-usage-log.ts";
import { type Identity, type SeenSpan, spansPerTraceMax } from "./usage-log.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-log-"));
  directories.push(directory);
  return directory;
}

const identities = { horizonMs: 24 * 3_600_000, entriesMax: 1_000_000 };
const text = (payload: Uint8Array | undefined) => Buffer.from(payload ?? []).toString();

it("gives offsets from 1 without gaps, and reads back in order what was appended at once", async () => {
  const log = new LmdbLog({ directory: temporaryDirectory() });
  const offsets = await Promise.all(["a", "b", "c"].map((entry) => log.append(Buffer.from(entry))));
  expect(offsets).toEqual([1, 2, 3]);
  expect(log.peek(0, 10).map((entry) => text(entry.payload))).toEqual(["a", "b", "c"]);
  expect(log.peek(1, 1).map((entry) => entry.offset)).toEqual([2]);
  await log.close();
});

it("continues its offsets after everything was trimmed and the log reopened", async () => {
  const directory = temporaryDirectory();
  const first = new LmdbLog({ directory });
  for (const entry of ["a", "b", "c"]) await first.append(Buffer.from(entry));
  await first.trim(3);
  expect(first.peek(0, 10)).toEqual([]);
  await first.close();
  const second = new LmdbLog({ directory });
  expect(second.trimmedOffset()).toBe(3);
  expect(await second.append(Buffer.from("d"))).toBe(4);
  expect(second.peek(0, 10).map((entry) => text(entry.payload))).toEqual(["d"]);
  await second.close();
});

it("wakes a reader that waits, and lets it go when it is told to stop", async () => {
  const log = new LmdbLog({ directory: temporaryDirectory() });
  const stop = new AbortController();
  const woken = log.waitFor(0, stop.signal);
  await log.append(Buffer.from("a"));
  await woken;
  const idle = log.waitFor(1, stop.signal);
  stop.abort();
  await idle;
  await log.close();
});

it("keeps a read entry unchanged while later writes reuse its page", async () => {
  const log = new LmdbLog({ directory: temporaryDirectory() });
  await log.append(Buffer.alloc(20_000, 7));
  const [entry] = log.peek(0, 1);
  await log.trim(1);
  for (let round = 0; round < 50; round++) await log.append(Buffer.alloc(20_000, 9));
  expect(entry?.payload.every((byte) => byte === 7)).toBe(true);
  await log.close();
});

function spanOf(spanId: string, contentHash: number): SeenSpan {
  const hashes = { contentHash, responseHash: 7, callHash: -1, modelHash: 0xffff, emitterHash: 3 };
  const times = { startUs: 1_763_625_600_000_001, endUs: 1_763_625_600_000_002 };
  return { spanId, parentSpanId: "00f067aa0ba902b7", ...times, revision: 2, ...hashes, rank: 200, bits: 12, place: -1 };
}

/** What a step says that saw one span. */
function remembered(log: LmdbUsageLog, identity: Identity, contentHash: number) {
  const trace = log.memory.trace(identity);
  const span = spanOf(identity.spanId, contentHash);
  trace.spans.set(identity.spanId, span);
  return { traces: new Map([[trace, [span]]]), wrappers: new Map() };
}

function seen(log: LmdbUsageLog, identity: Identity): SeenSpan | undefined {
  return log.memory.seen(log.memory.trace(identity), identity.spanId);
}

it("moves output, index, state and input offset together, and finds them again after reopening", async () => {
  const directory = temporaryDirectory();
  const identity = { tenant: "acme", traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
  const log = new LmdbUsageLog({ directory, identities });
  await log.commit({
    inputOffset: 7,
    arrivedAtMs: 1000,
    entries: ["x", "y"].map((entry) => ({ partition: 0, payload: Buffer.from(entry) })),
    ...remembered(log, identity, 0xdeadbeef | 0),
    state: { producers: [["p", 3]] },
  });
  await log.close();
  const again = new LmdbUsageLog({ directory, identities });
  expect(again.inputOffset()).toBe(7);
  expect(again.entries.lastOffset()).toBe(2);
  expect(again.memory.state("producers")).toEqual([["p", 3]]);
  expect(seen(again, identity)).toEqual({ ...spanOf(identity.spanId, 0xdeadbeef | 0), place: 0 });
  expect(seen(again, { ...identity, tenant: "other" })).toBeUndefined();
  expect(seen(again, { ...identity, spanId: "b7ad6b7169203332" })).toBeUndefined();
  await again.close();
});

it("keeps few traces in memory, also through steps that change none", async () => {
  const log = new LmdbUsageLog({ directory: temporaryDirectory(), identities });
  const keyOf = (n: number) => ({ tenant: "t", traceId: n.toString(16).padStart(32, "0") });
  const nothing = { entries: [], traces: new Map(), wrappers: new Map(), state: {} };
  const first = log.memory.trace(keyOf(0));
  for (let n = 1; n <= 10_000; n++) {
    log.memory.trace(keyOf(n));
    if (n % 1000 === 0) await log.commit({ ...nothing, inputOffset: n, arrivedAtMs: n });
  }
  expect(log.memory.trace(keyOf(10_000))).toBe(log.memory.trace(keyOf(10_000)));
  expect(log.memory.trace(keyOf(0))).not.toBe(first);
  await log.close();
});

it("knows every identity for the horizon, forgets the oldest generation after it, and says when size cuts it", async () => {
  const log = new LmdbUsageLog({ directory: temporaryDirectory(), identities: { horizonMs: 1000, entriesMax: 30 } });
  const identityOf = (n: number) => ({
    tenant: "t",
    traceId: n.toString(16).padStart(32, "0"),
    spanId: n.toString(16).padStart(16, "0"),
  });
  const add = (n: number, arrivedAtMs: number) =>
    log.commit({
      inputOffset: n,
      arrivedAtMs,
      entries: [],
      ...remembered(log, identityOf(n), n),
      state: {},
    });
  await add(1, 0);
  await add(2, 600);
  await add(3, 1100);
  expect(seen(log, identityOf(1))?.contentHash).toBe(1);
  await add(4, 1700);
  expect(seen(log, identityOf(1))).toBeUndefined();
  expect(seen(log, identityOf(2))).toBeDefined();
  expect(log.memory.identityStats(1700)).toMatchObject({ horizonMs: 1000, shortened: false, entries: 3 });
  for (let n = 5; n < 50; n++) await add(n, 1701);
  expect(log.memory.identityStats(1701)).toMatchObject({ shortened: true });
  expect(log.memory.identityStats(1701).horizonMs).toBeLessThan(1000);
  await log.close();
});

it("finds the spans of a trace again, however many, in whatever steps they came, and keeps wrappers", async () => {
  const directory = temporaryDirectory();
  const key = { tenant: "t", traceId: "0af7651916cd43dd8448eb211c80319c" };
  const idOf = (n: number) => n.toString(16).padStart(16, "0");
  const count = spansPerTraceMax + 100;
  let log = new LmdbUsageLog({ directory, identities });
  for (let n = 0; n < count; ) {
    const trace = log.memory.trace(key);
    const changed: SeenSpan[] = [];
    for (const end = Math.min(count, n + 777); n < end; n++) {
      const span = spanOf(idOf(n), n);
      if (trace.spans.size < spansPerTraceMax) trace.spans.set(span.spanId, span);
      changed.push(span);
    }
    const wrappers = new Map([[idOf(n), n === count ? null : Buffer.from(`wrapper ${n}`)]]);
    await log.commit({
      inputOffset: n,
      arrivedAtMs: n,
      entries: [],
      traces: new Map([[trace, changed]]),
      wrappers,
      state: {},
    });
    await log.close();
    log = new LmdbUsageLog({ directory, identities });
  }
  const changing = log.memory.trace(key).spans.get(idOf(5));
  if (changing === undefined) throw new Error("span 5 is not known");
  changing.bits = 1;
  const traces = new Map([[log.memory.trace(key), [changing]]]);
  const wrappers = new Map([[idOf(777), null]]);
  await log.commit({ inputOffset: count, arrivedAtMs: count, entries: [], traces, wrappers, state: {} });
  await log.close();
  log = new LmdbUsageLog({ directory, identities });
  const trace = log.memory.trace(key);
  expect(trace.spans.size).toBe(spansPerTraceMax);
  const known = Array.from({ length: count }, (_, n) => log.memory.seen(trace, idOf(n)));
  expect(known.map((span) => span?.contentHash)).toEqual(known.map((_, n) => n));
  expect(known.map((span) => span?.bits)).toEqual(known.map((_, n) => (n === 5 ? 1 : 12)));
  expect(log.memory.seen(trace, idOf(count))).toBeUndefined();
  expect([...log.memory.wrapperKeys()]).toEqual([1554, 2331, 3108, 3885].map(idOf));
  expect(String(log.memory.wrapper(idOf(1554)))).toBe("wrapper 1554");
  expect(log.memory.identityStats(count).entries).toBe(count);
  await log.close();
});

it("has every acknowledged entry after kill -9, and the usage log agrees with its input offset", async () => {
  const directory = temporaryDirectory();
  for (let round = 0; round < 3; round++) {
    const child = fork(new URL("../../test/fixtures/log-writer.ts", import.meta.url).pathname, [directory]);
    let acked = 0;
    child.on("message", (offset) => {
      acked = Math.max(acked, Number(offset));
    });
    // It begins where the round before ended, so any acknowledgement is of this round.
    await expect.poll(() => acked, { interval: 5, timeout: 10_000 }).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    const log = new LmdbUsageLog({ directory, identities });
    expect(log.entries.lastOffset()).toBeGreaterThanOrEqual(acked);
    // The writer commits one entry per input offset, each saying its own number.
    expect(log.inputOffset()).toBe(log.entries.lastOffset());
    const [last] = log.entries.peek(log.entries.lastOffset() - 1, 1);
    expect(Number(text(last?.payload))).toBe(log.inputOffset());
    await log.close();
  }
});
