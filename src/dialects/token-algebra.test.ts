import { describe, expect, it } from "vitest";
import { seededRandom } from "../ingest/otlp-random.ts";
import { totalInput, totalOutput } from "../model/usage.ts";
import { type CacheConvention, disjointUsage, type ReportedTokens } from "./token-algebra.ts";

const nothing: ReportedTokens = {
  input: undefined,
  uncachedInput: undefined,
  cacheRead: undefined,
  cacheWrite: undefined,
  cacheWrite5m: undefined,
  cacheWrite1h: undefined,
  output: undefined,
  visibleOutput: undefined,
  reasoning: undefined,
  total: undefined,
};

function split(own: Partial<ReportedTokens>, convention: CacheConvention = "unknown") {
  return disjointUsage({ ...nothing, ...own }, convention);
}

describe("what the numbers prove", () => {
  it("uncached input told apart leaves nothing to decide", () => {
    const { usage, flags } = split({ input: 3000, uncachedInput: 1800, cacheRead: 1200, output: 1 });
    expect([usage?.input, usage?.cacheRead, flags]).toEqual([1800, 1200, []]);
  });

  it("more cached than input: input leaves it out, whatever is known of the emitter", () => {
    const { usage, flags } = split({ input: 50, cacheRead: 1000, cacheWrite: 200, output: 120 }, "included");
    expect([usage?.input, flags]).toEqual([50, ["input_excludes_cache"]]);
  });

  it("a total that needs the cached tokens beside input and output: input leaves them out", () => {
    const { usage, flags } = split({ input: 1800, cacheRead: 1200, output: 210, total: 3210 }, "included");
    expect([usage?.input, flags]).toEqual([1800, ["input_excludes_cache"]]);
  });

  it("a total that is input plus output proves nothing", () => {
    const own = { input: 1800, cacheRead: 1200, output: 210, total: 2010 };
    expect(split(own).usage?.input).toBe(600);
    expect(split(own).flags).toEqual(["cache_semantics_assumed"]);
    expect(split(own, "excluded").usage?.input).toBe(1800);
  });

  it("a total that needs the reasoning tokens beside the output: output leaves them out", () => {
    const { usage, flags } = split({ input: 100, output: 50, reasoning: 30, total: 180 });
    expect([usage?.output, usage?.reasoning, flags]).toEqual([50, 30, ["output_excludes_reasoning"]]);
  });

  it("a total that either could explain proves neither", () => {
    const { usage, flags } = split({ input: 100, cacheRead: 30, output: 50, reasoning: 30, total: 180 }, "included");
    expect([usage?.input, usage?.output, flags]).toEqual([70, 20, []]);
  });
});

it("asks what is known of the emitter next, and assumes inclusion last, with a flag", () => {
  const own = { input: 1800, cacheRead: 1200, output: 210 };
  const read = (convention: CacheConvention) => {
    const { usage, flags } = split(own, convention);
    return [usage?.input, flags];
  };
  expect(read("included")).toEqual([600, []]);
  expect(read("excluded")).toEqual([1800, []]);
  expect(read("probably_excluded")).toEqual([1800, ["cache_semantics_assumed"]]);
  expect(read("unknown")).toEqual([600, ["cache_semantics_assumed"]]);
});

it("flags no assumption where nothing was cached", () => {
  expect(split({ input: 10, cacheRead: 0, output: 1 }).flags).toEqual([]);
});

it("takes a missing half from the total, and says when neither half is known", () => {
  expect(split({ total: 30, output: 10 }).usage).toMatchObject({ input: 20, output: 10 });
  expect(split({ total: 30, input: 10 }).usage).toMatchObject({ input: 10, output: 20 });
  expect(split({ total: 30 })).toMatchObject({ usage: { input: 30, output: 0 }, flags: ["token_split_unknown"] });
});

it("bills what a sum of writes holds beyond the hour's as five minutes'", () => {
  expect(
    split({ input: 500, cacheWrite: 200, cacheWrite5m: 150, cacheWrite1h: 50, output: 1 }, "included").usage,
  ).toEqual({
    input: 300,
    cacheRead: 0,
    cacheWrite5m: 150,
    cacheWrite1h: 50,
    output: 1,
    reasoning: 0,
  });
  expect(split({ input: 500, cacheWrite1h: 50, output: 1 }, "included").usage).toMatchObject({ cacheWrite5m: 0 });
});

it("reports no usage where nothing was reported", () => {
  expect(split({})).toEqual({ usage: null, flags: [] });
});

it("finds the buckets again from any true usage, however its emitter includes them, where the total tells", () => {
  const random = seededRandom(11);
  for (let round = 0; round < 2000; round++) {
    const [input, cacheRead, cacheWrite, output, reasoning] = [1, 2, 3, 4, 5].map(() => random(1000));
    const usage = { input: input ?? 0, cacheRead: cacheRead ?? 0, output: output ?? 0, reasoning: reasoning ?? 0 };
    const cached = usage.cacheRead + (cacheWrite ?? 0);
    for (const cacheInside of [true, false]) {
      const reported = {
        input: usage.input + (cacheInside ? cached : 0),
        cacheRead: usage.cacheRead,
        cacheWrite: cacheWrite ?? 0,
        output: usage.output + usage.reasoning,
        reasoning: usage.reasoning,
        total: usage.input + cached + usage.output + usage.reasoning,
      };
      const found = split(reported, "included");
      // Cached and reasoning tokens of one number leave a total that either explains; then the convention decides.
      if (!cacheInside && cached === usage.reasoning) continue;
      expect(found.usage).toMatchObject(usage);
    }
  }
});

it("makes disjoint, whole, non-negative buckets of any counts", () => {
  const random = seededRandom(12);
  const conventions: CacheConvention[] = ["included", "excluded", "probably_excluded", "unknown"];
  for (let round = 0; round < 5000; round++) {
    const own = Object.fromEntries(
      Object.keys(nothing).flatMap((key) => (random(2) === 0 ? [] : [[key, random(random(2) === 0 ? 10 : 1e9)]])),
    );
    const { usage } = split(own, conventions[random(4)]);
    if (usage === null) continue;
    for (const count of Object.values(usage)) expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
    expect(totalInput(usage) + totalOutput(usage)).toBeLessThanOrEqual(7e9);
  }
});
