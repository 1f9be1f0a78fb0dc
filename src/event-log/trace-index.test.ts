import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TraceIndex } from "./trace-index.ts";
import type { SeenSpan } from "./usage-log.ts";

const options = { horizonMs: 3_600_000, entriesMax: 1_000_000 };
const traceId = "1".repeat(32);
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "burnwatch-index-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function spanOf(number: number): SeenSpan {
  const hashes = { contentHash: 1, responseHash: 2, callHash: 3, modelHash: 4, emitterHash: 5 };
  const spanId = number.toString(16).padStart(16, "0");
  return { spanId, parentSpanId: "", startUs: 1, endUs: 2, revision: 0, ...hashes, rank: 1, bits: 12, place: -1 };
}

/** Opens the index, lets it see a span of each of these tenants, and closes it. */
async function see(from: number, to: number): Promise<void> {
  const environment = open({ path: directory, noSubdir: false, maxDbs: 16 });
  const index = new TraceIndex(environment, options);
  for (let number = from; number < to; number++) {
    const trace = index.trace({ tenant: `tenant-${number}`, traceId });
    const span = spanOf(number);
    trace.spans.set(span.spanId, span);
    await environment.batch(() => index.save(new Map([[trace, [span]]]), 1000));
  }
  await environment.close();
}

/** The span ids that are known of each tenant. */
async function known(tenants: number): Promise<readonly string[]> {
  const environment = open({ path: directory, noSubdir: false, maxDbs: 16 });
  const index = new TraceIndex(environment, options);
  const found = Array.from({ length: tenants }, (_, number) =>
    [...index.trace({ tenant: `tenant-${number}`, traceId }).spans.keys()].join(),
  );
  await environment.close();
  return found;
}

it("knows every tenant again after each start, however many came between", async () => {
  for (const [from, to] of [
    [0, 3],
    [3, 64],
    [64, 65],
    [65, 300],
  ] as const)
    await see(from, to);
  expect(await known(300)).toEqual(Array.from({ length: 300 }, (_, number) => spanOf(number).spanId));
});

it("goes on from what an earlier version has written of its tenants", async () => {
  await see(0, 70);
  const environment = open({ path: directory, noSubdir: false, maxDbs: 16 });
  const marks = environment.openDB({ name: "index" });
  await environment.batch(() => {
    for (const key of [...marks.getKeys()]) if (String(key).startsWith("trace.tenants.")) marks.remove(key);
    marks.put(
      "trace.tenants",
      Array.from({ length: 70 }, (_, number) => [`tenant-${number}`, number]),
    );
  });
  await environment.close();
  await see(70, 150);
  expect(await known(150)).toEqual(Array.from({ length: 150 }, (_, number) => spanOf(number).spanId));
});
