/** Documented names of energy and power, as they come out of the decoders, to joules by instance. */

import { expect, it } from "vitest";
import type { MetricPoint } from "./decoded-metrics.ts";
import { EnergyReadings } from "./energy-readings.ts";
import { metricRows, type StreamTotal } from "./metric-rows.ts";

const t0 = Date.UTC(2026, 10, 20, 12) * 1000;

type Told = Pick<MetricPoint, "name" | "value"> & { readonly at: number } & Partial<MetricPoint>;

/** Readings, times in seconds after t0, of points that arrive one after another as they are made. */
function readingsOf(points: readonly Told[]) {
  const totals = new Map<string, StreamTotal>();
  const energy = new EnergyReadings();
  return points.flatMap(({ at, ...told }, index) => {
    const point: MetricPoint = {
      index,
      unit: "",
      kind: "gauge",
      scope: "",
      resource: { "service.instance.id": "vllm-1" },
      attributes: { "hw.id": "gpu-0", "hw.type": "gpu" },
      startUs: 0,
      timeUs: t0 + at * 1e6,
      count: null,
      ...told,
    };
    return energy
      .of(metricRows([point], totals, point.timeUs).points)
      .map(({ instance, fromUs, toUs, joules }) => [instance, (fromUs - t0) / 1e6, (toUs - t0) / 1e6, joules]);
  });
}

const total = (name: string, at: number, value: number): Told => ({
  name,
  at,
  value,
  kind: "cumulative",
  startUs: t0 - 6e8,
});

it("takes what OpenTelemetry's counter of joules grew by, since its reading before", () => {
  expect(
    readingsOf([total("hw.energy", 0, 5e6), total("hw.energy", 60, 5_024_000), total("hw.energy", 120, 5_048_000)]),
  ).toEqual([
    ["vllm-1", 0, 60, 24_000],
    ["vllm-1", 60, 120, 24_000],
  ]);
});

it("takes the DCGM exporter's millijoules, by its host name, and watts times the time since the reading before", () => {
  const dcgm = { resource: {}, attributes: { UUID: "GPU-1", Hostname: "node-7" } };
  const energy = (at: number, value: number) => ({
    ...total("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", at, value),
    ...dcgm,
  });
  expect(readingsOf([energy(0, 9e9), energy(30, 9e9 + 12_000_000)])).toEqual([["node-7", 0, 30, 12_000]]);
  const watts = (at: number, value: number): Told => ({ name: "DCGM_FI_DEV_POWER_USAGE", at, value, ...dcgm });
  expect(readingsOf([watts(0, 300), watts(15, 400), watts(45, 500)])).toEqual([
    ["node-7", 0, 15, 6000],
    ["node-7", 15, 45, 15_000],
  ]);
});

it("passes over power where the device counts energy, and the other way round says nothing twice", () => {
  const watts = (at: number): Told => ({ name: "hw.power", at, value: 400 });
  const points = [total("hw.energy", 0, 0), watts(1), total("hw.energy", 60, 24_000), watts(61), watts(62)];
  expect(readingsOf(points)).toEqual([["vllm-1", 0, 60, 24_000]]);
});

it("says nothing of other components, of gaps, of repeats, of nonsense, or without an instance", () => {
  const fan = { attributes: { "hw.id": "fan-0", "hw.type": "fan" } };
  const watts = (at: number, value = 400, more: Partial<Told> = {}): Told => ({ name: "hw.power", at, value, ...more });
  expect(readingsOf([watts(0, 20, fan), watts(60, 20, fan)])).toEqual([]);
  expect(readingsOf([watts(0), watts(400)])).toEqual([]);
  expect(readingsOf([watts(60), watts(60), watts(30)])).toEqual([]);
  expect(readingsOf([watts(0), watts(60, -3), watts(120, Number.NaN), watts(180, 1e12)])).toEqual([]);
  expect(readingsOf([watts(0, 400, { resource: {} }), watts(60, 400, { resource: {} })])).toEqual([]);
});

it("sums the devices of an instance that are read together", () => {
  const energy = new EnergyReadings();
  const at = (seconds: number) =>
    [0, 1].map((gpu) => ({
      atUs: t0 + seconds * 1e6,
      service: "",
      instance: "node-7",
      device: `gpu-${gpu}`,
      model: "",
      labels: "hw.type=gpu",
      name: "hw.power",
      unit: "W",
      kind: "gauge" as const,
      series: "",
      startedUs: 0,
      value: 300,
      increase: 300,
    }));
  expect(energy.of(at(0))).toEqual([]);
  expect(energy.of(at(10))).toEqual([{ instance: "node-7", fromUs: t0, toUs: t0 + 1e7, joules: 6000 }]);
});
