import { expect, it } from "vitest";
import { Completeness } from "./completeness.ts";

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

it("gives up a hole after 10,000 later records, and stays bounded over producers", () => {
  const account = new Completeness(undefined, 2);
  for (let sequence = 2; sequence <= 20_001; sequence++) account.received("p", sequence);
  expect(account.share()).toBeCloseTo(20_000 / 20_001, 9);
  expect(account.state()[0]?.[3].length).toBe(0);
  for (const producer of ["q", "r"]) account.received(producer, 1);
  expect(account.state().map(([producer]) => producer)).toEqual(["q", "r"]);
});
