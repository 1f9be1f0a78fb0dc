import { expect, it } from "vitest";
import type { PartPressure } from "../store/part-pressure.ts";
import { type InsertQuestion, paceOf, placeForInsert } from "./insert-pace.ts";

const pressure = (parts: number): PartPressure => ({ parts, delayAt: 1000, throwAt: 3000 });

it.each([
  { parts: 0, waitMs: 0, rowsFactor: 1, hasRoom: true },
  { parts: 500, waitMs: 0, rowsFactor: 1, hasRoom: true },
  { parts: 750, waitMs: 15_000, rowsFactor: 3, hasRoom: true },
  { parts: 1000, waitMs: 30_000, rowsFactor: 5, hasRoom: true },
  { parts: 2399, waitMs: 30_000, rowsFactor: 5, hasRoom: true },
  { parts: 2400, waitMs: 30_000, rowsFactor: 5, hasRoom: false },
])("slows down evenly from half of what delays inserts, and stops before what refuses them: $parts parts", (row) => {
  const { parts, ...pace } = row;
  expect(paceOf(pressure(parts))).toEqual(pace);
});

/** Shards by name: how many parts, or away. */
function place(shards: Readonly<Record<string, number | "away">>, around: Partial<InsertQuestion> = {}) {
  const store = {
    async partPressure(shard = "") {
      const parts = shards[shard];
      if (typeof parts === "number") return pressure(parts);
      throw new Error(`${shard} is away`);
    },
  };
  const signal = new AbortController().signal;
  return placeForInsert(store, {
    shards: Object.keys(shards),
    rowsMax: 10,
    signal,
    slowed: () => undefined,
    ...around,
  });
}

it("takes the first shard that answers and has room", async () => {
  expect(await place({ a: 0, b: 0 })).toEqual({ shard: "a", rowsMax: 10 });
  expect(await place({ a: "away", b: 0 })).toEqual({ shard: "b", rowsMax: 10 });
  expect(await place({ a: 2900, b: 0 })).toEqual({ shard: "b", rowsMax: 10 });
});

it("plans for the first where none answers, so that the plan waits for it", async () => {
  expect(await place({ a: "away", b: "away" })).toEqual({ shard: "a", rowsMax: 10 });
});

it("waits while all that answer are full, and says so, until it is told to stop", async () => {
  const stop = new AbortController();
  const said: unknown[] = [];
  const slowed = (shard: string, waitMs: number) => {
    said.push([shard, waitMs]);
    stop.abort();
  };
  expect(await place({ a: "away", b: 2900 }, { signal: stop.signal, slowed })).toBeUndefined();
  expect(said).toEqual([["b", 1000]]);
});
