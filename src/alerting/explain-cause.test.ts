import { expect, it } from "vitest";
import type { Amounts } from "../../detectors/cause/amounts.ts";
import { explainChange } from "../../detectors/cause/explain-change.ts";
import { type Dimension, type Period, SpendTable } from "../../detectors/cause/spend-table.ts";
import { explainCause } from "./explain-cause.ts";

const none = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 };

interface Calls {
  readonly calls: number;
  readonly input?: number;
  readonly cached?: number;
  readonly retries?: number;
  readonly rate?: number;
}

/** At $10 a million tokens of input and $1 of cached input, unless said otherwise. */
function amounts({ calls, input = 1000, cached = 0, retries = 0, rate = 10_000 }: Calls): Amounts {
  return {
    calls,
    retries,
    tokens: { ...none, input: calls * input, cacheRead: calls * cached },
    nanoUsd: { ...none, input: calls * input * rate, cacheRead: calls * cached * (rate / 10) },
    feeNanoUsd: 0,
  };
}

type Names = Readonly<Record<Dimension, string>>;

/**
 * An hour of six tenants with two features and twenty users each, 102 calls a user on average, which cost $0.0105: a feature
 * has 12,240 calls, a tenant 4,080. Then an hour in which something differs.
 */
function said(change: (names: Names, calls: number) => Partial<Calls>, hours = 1): string {
  const table = new SpendTable();
  const add = (period: Period, names: Names, calls: Calls) => table.add(period, names, amounts(calls));
  for (let tenant = 0; tenant < 6; tenant++) {
    for (const feature of ["chat", "search"]) {
      for (let user = 0; user < 20; user++) {
        const promptVersion = user % 2 === 0 ? "v6" : "v7";
        const names = { tenant: `t${tenant}`, feature, model: "gpt-4o", promptVersion, user: `t${tenant}-u${user}` };
        const calls = 100 + ((user * 3 + tenant) % 5);
        add("before", names, { calls, cached: 500 });
        add("after", names, { calls, cached: 500, ...change(names, calls) });
      }
    }
  }
  return explainCause(explainChange(table, 1), hours);
}

it("says which calls and what about them: inputs of one prompt version that are longer", () => {
  // 6,120 calls with 800 tokens more: $48.96. Longer: 800 x the mean of $7.00 and $8.0435 a million; less cached: the rest.
  expect(
    said(({ feature, promptVersion }) => (feature === "chat" && promptVersion === "v7" ? { input: 1800 } : {})),
  ).toBe(
    "+$48.96/h: 100 % from feature chat, prompt v7: inputs 1.5x longer (+$36.83/h), 22 % of inputs cached, were 33 % (+$12.13/h)",
  );
});

it("says it of calls, attempts and caches, in dollars an hour", () => {
  expect(said(({ tenant }, calls) => (tenant === "t3" ? { calls: 3 * calls } : {}))).toBe(
    "+$85.68/h: 100 % from tenant t3: calls 3.0x (+$85.68/h)",
  );
  expect(said(({ feature }, calls) => (feature === "search" ? { calls: 3 * calls, retries: 2 * calls } : {}), 2)).toBe(
    "+$128.52/h: 100 % from feature search: 3.0 attempts a request, were 1.0 (+$128.52/h)",
  );
  expect(said(({ feature }) => (feature === "chat" ? { input: 1500, cached: 0 } : {}))).toBe(
    "+$55.08/h: 100 % from feature chat: 0 % of inputs cached, were 33 % (+$55.08/h)",
  );
});

it("says what is new and what is gone", () => {
  expect(said(({ feature }) => (feature === "chat" ? { calls: 0, input: 0, cached: 0 } : {}))).toBe(
    "-$128.52/h: 100 % from feature chat: gone (-$128.52/h)",
  );
});

it("says that a rise of everything alike is broad, and that nothing changed", () => {
  expect(said((_, calls) => ({ calls: 2 * calls }))).toBe(
    "+$257.04/h: broad, no part of the calls stands out: calls 2.0x (+$257.04/h)",
  );
  expect(said(() => ({}))).toBe("$0/h: no change");
});
