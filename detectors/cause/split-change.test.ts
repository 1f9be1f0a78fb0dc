import { expect, it } from "vitest";
import { seededRandom } from "../observation-samples.ts";
import { type Amounts, addAmounts, rowLength } from "./amounts.ts";
import { type ChangeSplit, type Factor, factors, splitChange } from "./split-change.ts";

const none = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 };

/** Calls of one segment at $2.50 input, $1.25 cached, $10 output a million tokens, unless said otherwise. */
function segment(of: {
  readonly calls: number;
  readonly retries?: number;
  readonly input?: number;
  readonly cacheRead?: number;
  readonly output?: number;
  readonly inputRate?: number;
}): Amounts {
  const { calls, retries = 0, input = 0, cacheRead = 0, output = 0, inputRate = 2500 } = of;
  return {
    calls,
    retries,
    tokens: { ...none, input: calls * input, cacheRead: calls * cacheRead, output: calls * output },
    nanoUsd: {
      ...none,
      input: calls * input * inputRate,
      cacheRead: calls * cacheRead * 1250,
      output: calls * output * 10_000,
    },
    feeNanoUsd: 0,
  };
}

const nothing: Amounts = { calls: 0, retries: 0, tokens: none, nanoUsd: none, feeNanoUsd: 0 };

function split(before: readonly Amounts[], after: readonly Amounts[], scale = 1): ChangeSplit {
  const rows = (of: readonly Amounts[]) => {
    const all = new Float64Array(of.length * rowLength);
    for (const [index, amounts] of of.entries()) addAmounts(all, index * rowLength, amounts);
    return all;
  };
  return splitChange({ before: rows(before), after: rows(after), scale });
}

function moved({ parts }: ChangeSplit): Partial<Record<Factor, number>> {
  return Object.fromEntries(
    factors.filter((factor) => parts[factor] !== 0n).map((factor) => [factor, Number(parts[factor])]),
  );
}

const usual = segment({ calls: 100, input: 1000, output: 200 });

it("puts the whole change on the one factor that moved", () => {
  // 100 calls of 1000 x 2500 + 200 x 10000 = 4.5e6 nano-dollars.
  expect(moved(split([usual], [segment({ calls: 150, input: 1000, output: 200 })]))).toEqual({
    volume: 50 * 4_500_000,
  });
  expect(moved(split([usual], [segment({ calls: 100, input: 1800, output: 200 })]))).toEqual({
    input: 100 * 800 * 2500,
  });
  expect(moved(split([usual], [segment({ calls: 100, input: 1000, output: 500 })]))).toEqual({
    output: 100 * 300 * 10_000,
  });
  expect(moved(split([usual], [segment({ calls: 100, input: 1000, output: 200, inputRate: 5000 })]))).toEqual({
    price: 100 * 1000 * 2500,
  });
  const cached = segment({ calls: 100, input: 200, cacheRead: 800 });
  expect(moved(split([cached], [segment({ calls: 100, input: 1000 })]))).toEqual({ cache: 100 * 800 * 1250 });
  const retried = segment({ calls: 300, retries: 200, input: 1000, output: 200 });
  expect(moved(split([usual], [retried]))).toEqual({ retries: 200 * 4_500_000 });
});

it("shares what two factors did together equally between them", () => {
  // 100 x 2.5e6 before, 200 x 5e6 after: of 7.5e8, volume has 100 x (2.5e6 + 5e6) / 2, input the same.
  const both = split([segment({ calls: 100, input: 1000 })], [segment({ calls: 200, input: 2000 })]);
  expect(moved(both)).toEqual({ volume: 375_000_000, input: 375_000_000 });
});

it("calls it mix when calls move between segments, and volume when a segment is all there is", () => {
  const dear = segment({ calls: 50, input: 1000, inputRate: 15_000 });
  const moving = split([segment({ calls: 100, input: 1000 }), nothing], [segment({ calls: 50, input: 1000 }), dear]);
  expect(moved(moving)).toEqual({ mix: 50 * 1000 * 12_500 });
  expect(moved(split([nothing], [usual]))).toEqual({ volume: 450_000_000 });
  expect(moved(split([usual], [nothing]))).toEqual({ volume: -450_000_000 });
});

it("compares periods of different length by their pace", () => {
  const half = segment({ calls: 50, input: 1000, output: 200 });
  expect(moved(split([usual], [half], 0.5))).toEqual({});
  expect(moved(split([half], [usual], 2))).toEqual({});
});

it("sets apart corrections that no call stands behind", () => {
  const correction = { ...nothing, calls: -1, tokens: { ...none, input: -10 }, nanoUsd: { ...none, input: -25_000 } };
  expect(moved(split([usual, nothing], [usual, correction]))).toEqual({ other: -25_000 });
});

it("adds up to the nano-dollar on 3,000 random tables, with new, gone, free and enormous segments among them", () => {
  const random = seededRandom(3);
  const below = (limit: number) => Math.floor(random() * limit);
  const some = (limit: number) => (random() < 0.3 ? 0 : below(limit));
  const anything = (): Amounts => {
    if (random() < 0.2) return nothing;
    const calls = 1 + below(1e4);
    const size = 10 ** below(13);
    const bucketed = (limit: number) => ({
      input: some(limit),
      cacheRead: some(limit),
      cacheWrite: some(limit),
      output: some(limit),
      reasoning: some(limit),
    });
    return { calls, retries: some(calls), tokens: bucketed(1e9), nanoUsd: bucketed(size), feeNanoUsd: some(size) };
  };
  const sumOf = ({ nanoUsd, feeNanoUsd }: Amounts) =>
    Object.values(nanoUsd).reduce((sum, part) => sum + part, feeNanoUsd);
  const total = (of: readonly Amounts[]) => of.reduce((sum, each) => sum + BigInt(sumOf(each)), 0n);
  for (let table = 0; table < 3000; table++) {
    const [before, after] = [
      [anything(), anything()],
      [anything(), anything()],
    ];
    const result = split(before, after);
    const parts = factors.reduce((sum, factor) => sum + result.parts[factor], 0n);
    expect(parts).toBe(total(after) - total(before));
    expect(result.bySegment.flat().every(Number.isSafeInteger)).toBe(true);
  }
});
