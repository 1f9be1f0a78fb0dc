/** Measured energy from a real SDK of metrics through a real server into the log that detectors read. */

import { join } from "node:path";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LmdbLog } from "../src/event-log/lmdb-log.ts";
import { decodeUsageEntry } from "../src/ingest/usage-codec.ts";
import { type Burnwatch, startBurnwatch } from "./support/burnwatch.ts";

let server: Burnwatch;
beforeAll(async () => {
  server = await startBurnwatch();
});
afterAll(() => server.remove());

it("logs the joules that a GPU's counter grew by between two exports", async () => {
  const exporter = new OTLPMetricExporter({ url: `${server.otlpUrl}/v1/metrics` });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": "vllm", "service.instance.id": "gpu-node-1" }),
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
  });
  const joules = provider.getMeter("gpus").createCounter("hw.energy", { unit: "J" });
  const gpu = (number: number) => ({ "hw.id": `gpu-${number}`, "hw.type": "gpu" });
  for (const used of [1000, 450]) {
    joules.add(used, gpu(0));
    joules.add(2 * used, gpu(1));
    joules.add(used, { "hw.id": "fan-0", "hw.type": "fan" });
    await provider.forceFlush();
  }
  await provider.shutdown();
  await server.stop();
  const log = new LmdbLog({ directory: join(server.directory, "usage") });
  const readings = (await log.read(0, 1000)).flatMap(({ payload }) => decodeUsageEntry(payload).readings ?? []);
  await log.close();
  expect(new Set(readings.map(({ instance }) => instance))).toEqual(new Set(["gpu-node-1"]));
  expect(readings.every(({ fromUs, toUs }) => fromUs < toUs)).toBe(true);
  // What the counters said at first is older than anybody listened; the fan is no GPU.
  expect(readings.reduce((sum, reading) => sum + reading.joules, 0)).toBe(1350);
});
