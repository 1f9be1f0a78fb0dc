import { expect, it } from "vitest";
import { type Block, clearCells, giveBackCells, newBlock, newCellStore } from "./cells.ts";
import type { Detector } from "./detector.ts";
import { detectors } from "./detectors.ts";
import { observation, seededRandom } from "./observation-samples.ts";

const numbersOf = ({ cells, at, length }: Block) => [...cells.subarray(at, at + length)];

it("blocks of one store never overlap, whatever is taken and given back, and begin with zeros", () => {
  const store = newCellStore();
  const random = seededRandom(3);
  const held: { readonly block: Block; readonly mark: number }[] = [];
  for (let mark = 1; mark < 5000; mark++) {
    if (held.length > 0 && random() < 0.4) {
      const [given] = held.splice(Math.floor(random() * held.length), 1);
      if (given !== undefined) giveBackCells(given.block);
      continue;
    }
    const block = newBlock(store, 1 + Math.floor(random() * 250));
    expect(numbersOf(block).every((number) => number === 0)).toBe(true);
    block.cells.fill(mark, block.at, block.at + block.length);
    held.push({ block, mark });
  }
  for (const { block, mark } of held) expect(new Set(numbersOf(block))).toEqual(new Set([mark]));
});

it("what was given back is used again: a store grows no further than what is held at once", () => {
  const store = newCellStore();
  for (let round = 0; round < 1000; round++) {
    const blocks = Array.from({ length: 50 }, () => newBlock(store, 48));
    for (const block of blocks) giveBackCells(block);
  }
  expect(store.pages.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(3 * 50 * 48);
  expect(store.taken).toBe(0);
});

it("a block without a store has a page of its own, and clearing touches nothing beside it", () => {
  const store = newCellStore();
  const [one, other] = [newBlock(store, 3), newBlock(store, 3)];
  for (const { cells, at } of [one, other]) cells.fill(7, at, at + 3);
  clearCells(one);
  expect([numbersOf(one), numbersOf(other)]).toEqual([
    [0, 0, 0],
    [7, 7, 7],
  ]);
  expect(newBlock(null, 3).cells).toHaveLength(3);
});

/** Three days of calls with everything in them, so that windows grow, close and shift. */
function live(detector: Detector, state: object): void {
  const random = seededRandom(8);
  const context = { alarmAt: 1e5, settings: detector.settings, parent: null };
  for (let index = 0; index < 6000; index++) {
    const atMs = Date.UTC(2026, 0, 5) + index * 43_000;
    const times = index > 3000 && index < 4000 ? 30 : 1;
    const outputTokens = Math.round(times * 100 * Math.exp(3 * random()));
    const values = { inputTokens: 10 * outputTokens, outputTokens, reasoningTokens: outputTokens / 2 };
    detector.observe(
      state,
      observation({ ...values, atMs, nanoUsd: 1e5 * outputTokens, tieBreak: random() }, index),
      context,
    );
    if (index % 100 === 0) detector.tick(state, atMs, context);
  }
}

it.each(detectors.map((detector) => [detector.name, detector] as const))(
  "%s gives back all that it took",
  (_, detector) => {
    const store = newCellStore();
    const states = [detector.newState(store), detector.newState(store)];
    for (const state of states) live(detector, state);
    expect(store.taken > 0).toBe(detector.forget !== undefined);
    detector.acknowledge(states[0] ?? {});
    for (const state of states) detector.forget?.(state);
    expect(store.taken).toBe(0);
  },
);
