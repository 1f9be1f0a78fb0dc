import { expect, it } from "vitest";
import { type Modalities, noUsage, type Usage } from "../model/usage.ts";
import { exactRate, roundToNano } from "./exact-rate.ts";
import { listCost } from "./list-cost.ts";
import { PriceBook } from "./price-book.ts";

const book = new PriceBook();
const now = Date.UTC(2026, 10, 1);

/** Nano-dollars of a call; the expectations below are worked out by hand from the providers' public price pages. */
function cost(provider: string, model: string, usage: Partial<Usage>, atMs = now): number | null {
  const card = book.find({ tenant: "", provider, model, startUs: atMs * 1000, serviceTier: "" });
  return card === null
    ? null
    : listCost({ usage: { ...noUsage, ...usage }, modalities: null, images: 0, audioMs: 0 }, card).nanoUsd;
}

it("prices cached input once, at the cached rate", () => {
  // gpt-4o: $2.50 input, $1.25 cached input, $10 output per million. 86 + 1920 cached + 300 = $0.005615.
  expect(cost("openai", "gpt-4o", { input: 86, cacheRead: 1920, output: 108, reasoning: 192 })).toBe(5_615_000);
});

it("prices cache reads and writes of Anthropic apart", () => {
  // claude-sonnet-4-5: $3, read $0.30, write $3.75 (5 min) or $6 (1 h), output $15 per million.
  const usage = { input: 50, cacheRead: 1000, cacheWrite5m: 200, output: 120 };
  expect(cost("anthropic", "claude-sonnet-4-5-20250929", usage)).toBe(3_000_000);
  expect(cost("anthropic", "claude-sonnet-4-5-20250929", { cacheWrite1h: 200 })).toBe(1_200_000);
});

it("moves the whole call to the higher bracket above 200,000 input tokens, and not at exactly 200,000", () => {
  expect(cost("anthropic", "claude-sonnet-4-5-20250929", { input: 200_000, output: 10 })).toBe(600_150_000);
  expect(cost("anthropic", "claude-sonnet-4-5-20250929", { input: 200_001, output: 10 })).toBe(1_200_231_000);
  expect(cost("anthropic", "claude-sonnet-4-5-20250929", { input: 1, cacheRead: 200_000 })).toBe(120_006_000);
});

const noSound = { audioInput: 0, audioCacheRead: 0, audioOutput: 0, imageInput: 0, imageCacheRead: 0, imageOutput: 0 };

/** The same with tokens that are no text. */
function costWith(provider: string, model: string, usage: Partial<Usage>, own: Partial<Modalities>): number | null {
  const card = book.find({ tenant: "", provider, model, startUs: now * 1000, serviceTier: "" });
  const quantities = { usage: { ...noUsage, ...usage }, modalities: { ...noSound, ...own }, images: 0, audioMs: 0 };
  return card === null ? null : listCost(quantities, card).nanoUsd;
}

it("prices sound and pictures at their own rates, and the text beside them at its own", () => {
  // gpt-realtime: $4 text, $32 audio, $5 image, cached $0.40 each but images $0.50; output $16 text, $64 audio.
  const usage = { input: 1000, cacheRead: 500, output: 300 };
  // 100 text, 700 audio, 200 image = 0.4 + 22.4 + 1; cached 200 text, 300 image = 0.08 + 0.15; 50 text, 250 audio = 0.8 + 16.
  const own = { audioInput: 700, imageInput: 200, imageCacheRead: 300, audioOutput: 250 };
  expect(costWith("openai", "gpt-realtime", usage, own)).toBe(40_830_000);
  // gemini-2.5-flash: $0.30 text, $1 audio, cached $0.03 and $0.10, output $2.50.
  const heard = { audioInput: 900, audioCacheRead: 400 };
  expect(costWith("gcp.gemini", "gemini-2.5-flash", usage, heard)).toBe(30_000 + 900_000 + 3000 + 40_000 + 750_000);
  // gemini-2.5-flash-image: $0.30 input, $2.50 text and $30 image output.
  expect(costWith("gcp.gemini", "gemini-2.5-flash-image", { output: 1300 }, { imageOutput: 1290 })).toBe(38_725_000);
});

it("prices pictures that are read like text where the list has no other rate", () => {
  expect(costWith("openai", "gpt-4o", { input: 1000 }, { imageInput: 800 })).toBe(2_500_000);
});

it("takes the price valid when the call was made", () => {
  // o3 fell from $10/$40 to $2/$8 in June 2025.
  expect(cost("openai", "o3", { input: 1000, output: 100 }, Date.UTC(2025, 4, 1))).toBe(14_000_000);
  expect(cost("openai", "o3", { input: 1000, output: 100 }, Date.UTC(2025, 8, 1))).toBe(2_800_000);
});

it("costs null, never 0, where model or provider is not listed", () => {
  expect(cost("openai", "nonesuch-9", { input: 10 })).toBeNull();
  expect(cost("my-own-gateway", "gpt-4o", { input: 10 })).toBeNull();
  expect(cost("openai", "", { input: 10 })).toBeNull();
});

it("does not take Azure for OpenAI: where Azure's own list lacks a model, the record says that its maker's price was taken", () => {
  const flags = (provider: string) =>
    book.find({ tenant: "", provider, model: "gpt-4o", startUs: now * 1000, serviceTier: "" })?.flags;
  expect(flags("openai")).toEqual([]);
  expect(flags("azure.ai.openai")).toEqual(["price_of_maker"]);
  expect(flags("")).toEqual(["provider_assumed"]);
  expect(cost("azure.ai.openai", "gpt-4o", { input: 1000 })).toBe(2_500_000);
});

it("keeps rates exact that are no whole nano-dollars per token", () => {
  expect(exactRate(0.0375, 1_000_000)).toBe(37_500_000_000n);
  expect(exactRate(1e-7, 1_000_000)).toBe(100_000n);
  expect(exactRate(2.5, 1_000_000)).toBe(2_500_000_000_000n);
  expect(() => exactRate(Number.NaN, 1)).toThrow(RangeError);
  expect(() => exactRate(-1, 1)).toThrow(RangeError);
});

it("rounds once, half to even", () => {
  expect(roundToNano(1_500_000_000n)).toBe(2);
  expect(roundToNano(2_500_000_000n)).toBe(2);
  expect(roundToNano(2_500_000_001n)).toBe(3);
  expect(roundToNano(499_999_999n)).toBe(0);
});
