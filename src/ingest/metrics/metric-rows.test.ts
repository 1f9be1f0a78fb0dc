/** From points to rows: temporalities, restarts, repeats and points out of order. */

import { expect, it } from "vitest";
import type { MetricPoint } from "./decoded-metrics.ts";
import { metricRows, type StreamTotal, seriesOf } from "./metric-rows.ts";
import { SeriesLimits } from "./series-limits.ts";

const second = 1_000_000;
const t0 = 1_795_000_000 * second;

function usage(over: Partial<MetricPoint> = {}): MetricPoint {
  return {
    index: 0,
    name: "gen_ai.client.token.usage",
    unit: "{token}",
    kind: "cumulative",
    scope: "openai@1.0",
    resource: { "service.name": "bot", "service.instance.id": "bot-1" },
    attributes: { "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.token.type": "input" },
    startUs: t0,
    timeUs: t0 + 60 * second,
    value: 100,
    count: 2,
    ...over,
  };
}

/** Claims as (from, to, tokens, calls), in seconds after t0, of points that arrive in this order, soon after they are made. */
function claimsOf(points: readonly MetricPoint[], totals = new Map<string, StreamTotal>()) {
  return points.flatMap((point) =>
    metricRows([point], totals, point.timeUs).claims.map(({ fromUs, toUs, tokens, calls }) => [
      (fromUs - t0) / second,
      (toUs - t0) / second,
      tokens,
      calls,
    ]),
  );
}

const at = (seconds: number, value: number, count: number, startUs = t0) =>
  usage({ timeUs: t0 + seconds * second, value, count, startUs });

it("claims what a total grew by", () => {
  expect(claimsOf([at(60, 100, 2), at(120, 130, 3), at(180, 130, 3)])).toEqual([
    [0, 60, 100, 2],
    [60, 120, 30, 1],
    [120, 180, 0, 0],
  ]);
});

it("claims nothing for a repeat or a late total, which newer totals cover", () => {
  const points = [at(60, 100, 2), at(180, 190, 5), at(180, 190, 5), at(120, 130, 3), at(240, 200, 6)];
  expect(claimsOf(points)).toEqual([
    [0, 60, 100, 2],
    [60, 180, 90, 3],
    [180, 240, 10, 1],
  ]);
});

it("takes a new start as a new stream, and two processes without a name of their own as two", () => {
  const restart = t0 + 90 * second;
  expect(claimsOf([at(60, 100, 2), at(120, 40, 1, restart), at(180, 70, 2, restart)])).toEqual([
    [0, 60, 100, 2],
    [90, 120, 40, 1],
    [120, 180, 30, 1],
  ]);
  const other = t0 + 5 * second;
  const interleaved = [at(60, 100, 2), at(61, 7, 1, other), at(120, 110, 3), at(121, 9, 2, other)];
  expect(claimsOf(interleaved).map(([, , tokens]) => tokens)).toEqual([100, 7, 10, 2]);
});

it("takes a total that shrinks under one start as begun anew", () => {
  expect(claimsOf([at(60, 100, 2), at(120, 40, 1)])).toEqual([
    [0, 60, 100, 2],
    [60, 120, 40, 1],
  ]);
});

it("claims nothing of what a stream counted before anyone listened", () => {
  const old = t0 - 3600 * second;
  expect(claimsOf([at(60, 90_000, 800, old), at(120, 90_010, 801, old)])).toEqual([
    [60, 60, 0, 0],
    [60, 120, 10, 1],
  ]);
  expect(claimsOf([at(60, 90_000, 800, 0), at(120, 90_010, 801, 0)])).toEqual([
    [60, 60, 0, 0],
    [60, 120, 10, 1],
  ]);
});

it("goes on from totals it is given, as after a restart of its own", () => {
  const totals = new Map<string, StreamTotal>();
  claimsOf([at(60, 100, 2)], totals);
  expect(claimsOf([at(60, 100, 2), at(120, 130, 3)], new Map(totals))).toEqual([[60, 120, 30, 1]]);
});

it("claims deltas as they are, in any order; a repeat is the same row", () => {
  const delta = (from: number, to: number, value: number) =>
    usage({ kind: "delta", startUs: t0 + from * second, timeUs: t0 + to * second, value, count: 1 });
  const points = [delta(60, 120, 30), delta(0, 60, 100), delta(60, 120, 30)];
  expect(claimsOf(points)).toEqual([
    [60, 120, 30, 1],
    [0, 60, 100, 1],
    [60, 120, 30, 1],
  ]);
  const [first, , repeat] = points.map((point) => metricRows([point], new Map(), t0).claims[0]);
  expect(repeat).toEqual(first);
});

it("names a series by all that tells it apart, in any order of attributes", () => {
  const attributes = usage().attributes;
  const turned = Object.fromEntries(Object.entries(attributes).reverse());
  expect(seriesOf(usage({ attributes: turned }))).toBe(seriesOf(usage()));
  expect(seriesOf(usage())).toMatch(/^[0-9a-f]{16}$/);
  const others = [
    usage({ attributes: { ...attributes, "server.address": "other" } }),
    usage({ attributes: { ...attributes, "gen_ai.token.type": "output" } }),
    usage({ resource: { "service.name": "bot", "service.instance.id": "bot-2" } }),
    usage({ name: "other" }),
    usage({ scope: "langchain" }),
  ];
  expect(new Set([usage(), ...others].map(seriesOf)).size).toBe(6);
  expect(seriesOf(usage({ scope: "openai@2.0" }))).toBe(seriesOf(usage()));
});

it("finds instance, device, model and labels of DCGM, vLLM and OpenTelemetry's own readings, and stores no other attribute", () => {
  const reading = (over: Partial<MetricPoint>) =>
    metricRows([usage({ kind: "gauge", count: null, value: 0.5, startUs: 0, ...over })], new Map(), t0).points[0];
  const scraped = { "service.name": "dcgm", "service.instance.id": "10.0.0.7:9400", "server.address": "10.0.0.7" };
  expect(
    reading({
      name: "DCGM_FI_DEV_GPU_UTIL",
      resource: scraped,
      attributes: { gpu: "0", UUID: "GPU-1", modelName: "H100", Hostname: "node-7", prompt: "a secret" },
    }),
  ).toMatchObject({ instance: "node-7", device: "GPU-1", model: "", labels: "gpu=0,modelName=H100", value: 0.5 });
  expect(
    reading({ name: "vllm:num_requests_waiting", attributes: { model_name: "llama", engine: "0" } }),
  ).toMatchObject({ instance: "bot-1", device: "", model: "llama", labels: "engine=0" });
  expect(
    reading({
      name: "hw.gpu.memory.utilization",
      resource: { "host.name": "node-9" },
      attributes: { "hw.id": "gpu-3", "hw.gpu.task": "general" },
    }),
  ).toMatchObject({ service: "", instance: "node-9", device: "gpu-3", labels: "hw.gpu.task=general" });
});

it("refuses new instances, names and series beyond the limit, keeps the known ones, and forgets the silent", () => {
  const limits = new SeriesLimits({ instances: 2, names: 2, series: 3 });
  const of = (instance: string, name: string, gpu = "0") =>
    usage({ name, resource: { "service.instance.id": instance }, attributes: { gpu } });
  const hour = 3_600_000;
  expect(limits.refuses(of("a", "x"), 10 * hour)).toBeUndefined();
  expect(limits.refuses(of("b", "x"), 10 * hour)).toBeUndefined();
  expect(limits.refuses(of("c", "x"), 10 * hour)).toContain("more than 2 instances");
  expect(limits.refuses(of("a", "y"), 10 * hour)).toBeUndefined();
  expect(limits.refuses(of("a", "z"), 10 * hour)).toContain("more than 2 names");
  expect(limits.refuses(of("a", "x", "1"), 10 * hour)).toContain("more than 3 series");
  expect(limits.refuses(of("a", "x"), 11 * hour)).toBeUndefined();
  expect(limits.refuses(of("a", "x"), 12 * hour)).toBeUndefined();
  expect(limits.refuses(of("c", "x"), 12 * hour)).toBeUndefined();
  expect(limits.series()).toBe(2);
});
