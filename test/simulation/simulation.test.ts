/** The short form of the simulation, and that its table behaves as the engine's. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { seededRandom } from "../../src/ingest/otlp-random.ts";
import { nodeFlags } from "../../src/runtime.mjs";
import { openEmbeddedStore } from "../../src/store/embedded.ts";
import { sampleRecords } from "../../src/store/sample-records.ts";
import type { Store } from "../../src/store/store.ts";
import type { Played } from "./play.ts";
import { SimulatedStore } from "./store.ts";

const entry = fileURLToPath(new URL("run.ts", import.meta.url));

it("loses nothing, doubles nothing and sums rightly through what is too rare to run", {
  timeout: 120_000,
}, async () => {
  const words = [...nodeFlags, entry, "--short", "--scale", "0.2", "--seed", "11", "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, words).catch((error: { stdout: string }) => error);
  const { played, failures } = JSON.parse(stdout) as { played: readonly Played[]; failures: readonly string[] };
  expect(failures).toEqual([]);
  const differences = played.map(({ name, lost, doubled, wrong, rollups, faults }) => [
    name,
    lost,
    doubled,
    wrong,
    rollups,
    ...faults,
  ]);
  expect(differences).toEqual(played.map(({ name }) => [name, 0, 0, 0, 0]));
  expect(played).toHaveLength(7);
  for (const { acked } of played) expect(acked).toBeGreaterThan(500);
  expect(played.find(({ name }) => name.startsWith("death"))?.deaths).toBeGreaterThan(20);
});

it("has a table that takes batches, their repeats and their parts as the engine does", async () => {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-simulated-"));
  const real = await openEmbeddedStore({ directory: join(directory, "clickhouse") });
  await real.migrate();
  const simulated = new SimulatedStore(seededRandom(1), 10_000).asStore();
  const dayMs = 86_400_000;
  const startMs = Date.now() - 5 * dayMs;
  const records = [...sampleRecords({ count: 60, seed: 5, startMs, spanMs: 3 * dayMs })];
  const days = [-1, 0, 1, 2, 3, 4].map((day) => new Date(startMs + day * dayMs).toISOString().slice(0, 10));
  const batches = [
    { token: "a", records: records.slice(0, 40) },
    { token: "a", records: records.slice(0, 40) },
    { token: "b", records: records.slice(40) },
    // Some of its days are in already.
    { token: "b", records: records.slice(40) },
    { token: "c", records: [] },
  ];
  const counts = async (store: Store) => {
    for (const batch of batches) await store.insert(batch);
    return Promise.all(["a", "b", "c"].map(async (token) => [...(await store.batchDays(token, days))].sort()));
  };
  try {
    const engine = await counts(real);
    expect(await counts(simulated)).toEqual(engine);
    expect(engine.flat().reduce((sum, [, rows]) => sum + rows, 0)).toBe(60);
  } finally {
    await real.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
