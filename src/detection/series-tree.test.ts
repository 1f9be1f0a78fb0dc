import { expect, it } from "vitest";
import { usageRecord } from "../../detectors/observation-samples.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { type SeriesNode, SeriesTree } from "./series-tree.ts";

const startMs = Date.UTC(2026, 0, 5, 9);

function treeOf(limits: { readonly seriesMax: number; readonly passingMax: number }) {
  const forgotten: SeriesNode[] = [];
  const tree = new SeriesTree(new Set(["model", "run"]), { ...limits, forgotten: (node) => forgotten.push(node) });
  const meet = (values: Partial<UsageRecord>, index: number) => {
    const atMs = startMs + index * 1000;
    const found = tree.nodesOf({ record: usageRecord(values, index), atMs, arrivedAtMs: atMs + 500 });
    return new Map(found.flatMap((node) => (node === null ? [] : [[node.scope, node] as const])));
  };
  return { tree, meet, forgotten };
}

it("a record belongs to the fleet, its tenant, feature and model, each under the one before", () => {
  const { meet, tree } = treeOf({ seriesMax: 100, passingMax: 100 });
  const found = meet({ tenant: "acme", feature: "search", model: "o1", run: "" }, 0);
  expect([...found.keys()]).toEqual(["fleet", "tenant", "feature", "model"]);
  expect(found.get("model")?.parent).toBe(found.get("feature"));
  expect(found.get("model")?.series).toEqual({ tenant: "acme", feature: "search", model: "o1" });
  expect(tree.size).toBe(3 + 1);
});

it("a run gets a series with its second record, which counts and dates from its first", () => {
  const { meet } = treeOf({ seriesMax: 100, passingMax: 100 });
  const values = (index: number) => ({ run: "nightly", costNanoUsd: 100, endUs: (startMs + index * 1000) * 1000 });
  expect(meet(values(0), 0).has("run")).toBe(false);
  const run = meet(values(7), 7).get("run");
  expect(run).toMatchObject({ calls: 2, nanoUsd: 200, firstMs: startMs, lastArrivalMs: startMs + 7500 });
  expect(meet(values(8), 8).get("run")).toMatchObject({ calls: 3, nanoUsd: 300, firstMs: startMs });
});

it("tells of every node that it forgets, once, and never of one that a record still finds", () => {
  const { tree, meet, forgotten } = treeOf({ seriesMax: 40, passingMax: 10 });
  for (let index = 0; index < 400; index++) meet({ tenant: `t${index % 9}`, feature: `f${index}` }, index);
  expect(forgotten.length).toBeGreaterThan(0);
  expect(new Set(forgotten).size).toBe(forgotten.length);
  const kept = new Set(tree.nodes());
  expect(forgotten.filter((node) => kept.has(node))).toEqual([]);
  expect(kept.size).toBe(tree.size);
});
