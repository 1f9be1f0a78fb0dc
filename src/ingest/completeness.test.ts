import { expect, it } from "vitest";
import { seededRandom } from "../../detectors/observation-samples.ts";
import { Completeness, completenessLimits } from "./completeness.ts";

it("is unknown while no producer numbers its records", () => {
  expect(new Completeness(undefined).share()).toBeNull();
});

it("counts repeats once, in any order, and holes as missing", () => {
  const account = new Completeness(undefined);
  for (const sequence of [3, 1, 1, 3, 5]) account.received("p", sequence);
  expect(account.share()).toBe(3 / 5);
  account.received("p", 2);
  account.received("p", 4);
  expect(account.share()).toBe(1);
});

it("knows of an unknown tail from the final mark", () => {
  const account = new Completeness(undefined);
  account.received("p", 1);
  account.final("p", 4);
  expect(account.share()).toBe(1 / 4);
});

it("goes on from its saved state", () => {
  const before = new Completeness(undefined);
  for (const sequence of [1, 2, 5]) before.received("p", sequence);
  const after = new Completeness(before.state());
  after.received("p", 2);
  after.received("p", 3);
  expect(after.share()).toBe(4 / 5);
});

it("goes on from a state of before, which told what had come early", () => {
  const account = new Completeness([["p", 3, 1, [5, 8], 9]]);
  expect(account.share()).toBe(4 / 9);
  for (const sequence of [4, 5, 6, 7, 8, 9]) account.received("p", sequence);
  expect(account.share()).toBe(8 / 9);
});

it("takes whole ranges, over holes and beyond what was expected", () => {
  const account = new Completeness(undefined);
  account.receivedAll("p", 5, 6);
  account.receivedAll("p", 10, 12);
  account.receivedAll("p", 2, 7);
  expect(account.share()).toBe(9 / 12);
  account.receivedAll("p", 1, 20);
  expect(account.share()).toBe(1);
  expect(account.state()).toEqual([["p", 20, 0, []]]);
});

it("agrees with a set of numbers, whatever comes in whatever order", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 50; round++) {
    const account = new Completeness(undefined);
    const arrived = new Set<number>();
    for (let step = 0; step < 60; step++) {
      const first = 1 + Math.floor(random() * 100);
      const last = first + Math.floor(random() * random() * 20);
      account.receivedAll("p", first, last);
      for (let number = first; number <= last; number++) arrived.add(number);
      expect(account.share()).toBeCloseTo(arrived.size / Math.max(...arrived), 12);
    }
  }
});

it("gives up the first of too many holes, and stays bounded over producers", () => {
  const limits = { producersMax: 2, holesMax: 3, holesOfAllMax: 4 };
  const account = new Completeness(undefined, limits);
  for (const sequence of [2, 4, 6, 8]) account.received("p", sequence);
  expect(account.state()).toEqual([["p", 8, 1, [3, 3, 5, 5, 7, 7]]]);
  account.received("p", 1);
  expect(account.share()).toBe(4 / 8);
  for (const sequence of [2, 4, 6]) account.received("q", sequence);
  expect(account.state()[1]).toEqual(["q", 6, 2, [5, 5]]);
});

it("holds nothing of before against a producer that may have been forgotten", () => {
  const account = new Completeness(undefined, { ...completenessLimits, producersMax: 2 });
  for (const producer of ["p", "q", "r"]) account.received(producer, 1);
  account.received("p", 7);
  expect(account.state().map(([producer]) => producer)).toEqual(["r", "p"]);
  expect(account.share()).toBe(1);
});
