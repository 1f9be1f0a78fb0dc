import { expect, it } from "vitest";
import { usageRecord } from "../../detectors/observation-samples.ts";
import { Newcomers } from "./newcomers.ts";

const met = (index: number) => ({ record: usageRecord({}, index), arrivedAtMs: index });

it("makes a series of the second meeting, and hands on the first", () => {
  const newcomers = new Newcomers();
  expect(newcomers.meet("run a", met(1))).toBeNull();
  expect(newcomers.meet("run b", met(2))).toBeNull();
  expect(newcomers.meet("run a", met(3))).toEqual([met(1)]);
});

it("still knows the name in a flood of others, without the record, and forgets the oldest beyond its bounds", () => {
  const newcomers = new Newcomers();
  let known = 0;
  for (let index = 0; index < 300_000; index++) if (newcomers.meet(`run ${index}`, met(index)) !== null) known++;
  expect(known).toBe(0);
  expect([newcomers.recent.size, newcomers.older.size]).toEqual([8192, 200_000]);
  expect(newcomers.meet("run 299999", met(1))).toEqual([met(299_999)]);
  expect(newcomers.meet("run 200000", met(1))).toEqual([]);
  expect(newcomers.meet("run 0", met(1))).toBeNull();
});

it("goes on from what a snapshot kept as if nothing had happened", () => {
  const undisturbed = new Newcomers();
  let restored = new Newcomers();
  for (let index = 0; index < 20_000; index++) {
    if (index % 3000 === 0)
      restored = new Newcomers(structuredClone({ recent: restored.recent, older: restored.older }));
    const name = `run ${index % 7 === 0 ? index >> 1 : index}`;
    expect(restored.meet(name, met(index))).toEqual(undisturbed.meet(name, met(index)));
  }
  expect([...restored.recent.keys()]).toEqual([...undisturbed.recent.keys()]);
  expect([...restored.older]).toEqual([...undisturbed.older]);
});
