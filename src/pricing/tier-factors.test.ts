import { expect, it } from "vitest";
import { noUsage, type Usage } from "../model/usage.ts";
import { listCost } from "./list-cost.ts";
import { PriceBook } from "./price-book.ts";
import { tierFactor } from "./tier-factors.ts";

const book = new PriceBook();
const startUs = Date.UTC(2026, 10, 1) * 1000;

function priced(provider: string, model: string, serviceTier: string, usage: Partial<Usage>) {
  const card = book.find({ tenant: "", provider, model, startUs, serviceTier });
  if (card === null) throw new Error(`no price of ${model}`);
  const { nanoUsd } = listCost({ usage: { ...noUsage, ...usage }, modalities: null, images: 0, audioMs: 0 }, card);
  return { nanoUsd, flags: card.flags };
}

/** Dollars per million of input, cached input and output, as OpenAI's page on priority processing prints them. */
const priority = [
  ["gpt-5.5", 12.5, 1.25, 75],
  ["gpt-5.4-mini", 1.5, 0.15, 9],
  ["gpt-5.4", 5, 0.5, 30],
  ["gpt-5.2", 3.5, 0.35, 28],
  ["gpt-5.1", 2.5, 0.25, 20],
  ["gpt-5", 2.5, 0.25, 20],
  ["gpt-5-mini", 0.45, 0.045, 3.6],
  ["gpt-5.1-codex", 2.5, 0.25, 20],
  ["gpt-5-codex", 2.5, 0.25, 20],
  ["gpt-4.1", 3.5, 0.875, 14],
] as const;

it.each(priority)("bills %s by OpenAI's page where it was served with priority", (model, input, cached, output) => {
  const of = (usage: Partial<Usage>) => priced("openai", model, "priority", usage);
  expect(of({ input: 10_000 })).toEqual({ nanoUsd: Math.round(input * 1e7), flags: [] });
  expect(of({ cacheRead: 10_000 }).nanoUsd).toBe(Math.round(cached * 1e7));
  expect(of({ output: 10_000 }).nanoUsd).toBe(Math.round(output * 1e7));
});

it("leaves long inputs, which priority does not take, at their own rates", () => {
  // gpt-5.4: $5 a million above 272,000 tokens.
  expect(priced("openai", "gpt-5.4", "priority", { input: 300_000 }).nanoUsd).toBe(1_500_000_000);
  expect(priced("openai", "gpt-5.4", "batch", { input: 300_000 }).nanoUsd).toBe(750_000_000);
});

it("halves batches of three providers and the flex of two, cache included", () => {
  const usage = { input: 1000, cacheRead: 1000, output: 1000 };
  for (const [provider, model, tiers] of [
    ["openai", "gpt-5", ["batch", "flex"]],
    ["anthropic", "claude-sonnet-4-5", ["batch"]],
    ["gcp.gemini", "gemini-2.5-flash", ["batch", "flex"]],
  ] as const) {
    const standard = priced(provider, model, "", usage).nanoUsd;
    for (const tier of tiers)
      expect(priced(provider, model, tier, usage)).toEqual({ nanoUsd: standard / 2, flags: [] });
  }
});

it("takes standard rates and says so where nobody published a factor", () => {
  for (const [provider, model] of [
    ["openai", "gpt-4o"],
    ["anthropic", "claude-sonnet-4-5"],
    ["gcp.gemini", "gemini-2.5-flash"],
  ] as const) {
    const { nanoUsd, flags } = priced(provider, model, "priority", { input: 1000 });
    expect(flags).toEqual(["service_tier_unpriced"]);
    expect(nanoUsd).toBe(priced(provider, model, "default", { input: 1000 }).nanoUsd);
  }
  expect(tierFactor("openai", "gpt-5", "scale")).toBeUndefined();
});
