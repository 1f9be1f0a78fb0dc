/** Expectations are worked out by hand from the amounts in each list; nothing is computed by the code under test. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Modalities, noUsage, type Usage } from "../model/usage.ts";
import { listCost } from "./list-cost.ts";
import { PriceBook } from "./price-book.ts";
import { PriceListError, parsePriceList } from "./price-list-file.ts";

interface Asked {
  readonly tenant?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly at?: string;
  /** Microseconds on top of `at`. */
  readonly plusUs?: number;
  readonly tier?: string;
  readonly usage?: Partial<Usage>;
  readonly modalities?: Modalities;
  readonly images?: number;
  readonly audioMs?: number;
}

/** Nano-dollars of a call; 1,000 input tokens unless it says otherwise. */
function cost(list: string, asked: Asked = {}): number | null {
  const card = find(list, asked);
  const { usage = { input: 1000 }, modalities = null, images = 0, audioMs = 0 } = asked;
  return card === null
    ? null
    : listCost({ usage: { ...noUsage, ...usage }, modalities, images, audioMs }, card).nanoUsd;
}

function find(list: string, asked: Asked) {
  const { tenant = "", provider = "openai", model = "m", at = "2026-06-01T00:00:00Z", plusUs = 0, tier = "" } = asked;
  const startUs = Date.parse(at) * 1000 + plusUs;
  return new PriceBook(parsePriceList(list, "prices.yaml")).find({
    tenant,
    provider,
    model,
    startUs,
    serviceTier: tier,
  });
}

const example = readFileSync(new URL("price-list.example.yaml", import.meta.url), "utf8");

describe("which entry holds", () => {
  const list = `prices:
  - { model: "gpt-4o*", per_million: { input: 1 } }
  - { model: gpt-4o, per_million: { input: 2 } }
  - { model: "gpt-4o-2024*", per_million: { input: 3 } }
  - { model: gpt-4o, provider: azure.ai.openai, per_million: { input: 4 } }
  - { model: "gpt*", tenant: acme, per_million: { input: 5 } }`;

  it("takes a contract before the own list, and that before the bundled one", () => {
    // $5, $2 and, for a model of the bundled list alone, $0.40 a million (gpt-4.1-mini, OpenAI's price page).
    expect(cost(list, { model: "gpt-4o", tenant: "acme" })).toBe(5_000_000);
    expect(cost(list, { model: "gpt-4o", tenant: "other" })).toBe(2_000_000);
    expect(cost(list, { model: "gpt-4.1-mini", tenant: "other" })).toBe(400_000);
    expect(find(list, { model: "gpt-4o", tenant: "acme" })?.source).toBe("contract");
    expect(find(list, { model: "gpt-4o" })?.source).toBe("own");
    expect(find(list, { model: "gpt-4.1-mini" })?.source).toBe("bundled");
  });

  it("takes the exact model before a prefix, the longer prefix before the shorter, a named provider before none", () => {
    expect(cost(list, { model: "gpt-4o-mini" })).toBe(1_000_000);
    expect(cost(list, { model: "gpt-4o-2024-08-06" })).toBe(3_000_000);
    expect(cost(list, { model: "gpt-4o", provider: "az.ai.openai" })).toBe(4_000_000);
    expect(cost(list, { model: "gpt-4o", provider: "openai" })).toBe(2_000_000);
  });

  it("never takes a named provider's price for another one's", () => {
    const one = "prices: [{ model: m, provider: openai, per_million: { input: 2 } }]";
    expect(cost(one, { provider: "openai" })).toBe(2_000_000);
    for (const provider of ["azure.ai.openai", "openrouter", "my-gateway", ""])
      expect(cost(one, { provider })).toBeNull();
  });
});

describe("time", () => {
  it("holds from `from`, included, to `to`, excluded, to the microsecond", () => {
    const list = `prices:
  - { model: m, from: 2026-03-01, to: "2026-03-02T12:00:00.000001+01:00", per_million: { input: 1 } }
  - { model: m, from: "2026-03-02T11:00:00.000001Z", per_million: { input: 2 } }`;
    expect(cost(list, { at: "2026-02-28T23:59:59.999Z", plusUs: 999 })).toBeNull();
    expect(cost(list, { at: "2026-03-01T00:00:00Z" })).toBe(1_000_000);
    expect(cost(list, { at: "2026-03-02T11:00:00Z" })).toBe(1_000_000);
    expect(cost(list, { at: "2026-03-02T11:00:00Z", plusUs: 1 })).toBe(2_000_000);
  });

  it("takes the later of two prices of one model, and again the earlier for a call of before", () => {
    const list = `prices:
  - { model: m, per_million: { input: 1 } }
  - { model: m, from: 2026-03-01, per_million: { input: 2 } }`;
    const book = new PriceBook(parsePriceList(list, "prices.yaml"));
    const at = (text: string) => {
      const card = book.find({
        tenant: "",
        provider: "",
        model: "m",
        startUs: Date.parse(text) * 1000,
        serviceTier: "",
      });
      return card === null
        ? null
        : listCost({ usage: { ...noUsage, input: 1000 }, modalities: null, images: 0, audioMs: 0 }, card).nanoUsd;
    };
    expect([at("2026-02-28"), at("2026-03-01"), at("2026-02-28")]).toEqual([1_000_000, 2_000_000, 1_000_000]);
  });

  const hours = (zone: string, from: string, to: string) =>
    `prices: [{ model: m, per_million: { input: 1 }, times: [{ zone: ${zone}, from: "${from}", to: "${to}", factor: 0.5 }] }]`;
  const isHalf = (list: string, at: string) => cost(list, { at }) === 500_000;

  it("follows local time over the days on which clocks change", () => {
    // New York: UTC-5 until 2026-03-08 07:00 UTC, then UTC-4 until 2026-11-01 06:00 UTC (tz database, America/New_York).
    const list = hours("America/New_York", "08:00", "20:00");
    expect(isHalf(list, "2026-03-07T12:59:59.999Z")).toBe(false);
    expect(isHalf(list, "2026-03-07T13:00:00Z")).toBe(true);
    expect(isHalf(list, "2026-03-08T11:59:59.999Z")).toBe(false);
    expect(isHalf(list, "2026-03-08T12:00:00Z")).toBe(true);
    expect(isHalf(list, "2026-03-09T00:00:00Z")).toBe(false);
    expect(isHalf(list, "2026-10-31T12:00:00Z")).toBe(true);
    expect(isHalf(list, "2026-11-01T12:59:59.999Z")).toBe(false);
    expect(isHalf(list, "2026-11-01T13:00:00Z")).toBe(true);
  });

  it("an hour that comes twice is in the window twice, and one that is left out never", () => {
    const twice = hours("America/New_York", "01:30", "02:30");
    expect(isHalf(twice, "2026-11-01T05:30:00Z")).toBe(true); // 01:30 summer time
    expect(isHalf(twice, "2026-11-01T06:10:00Z")).toBe(false); // 01:10 again, winter time
    expect(isHalf(twice, "2026-11-01T06:30:00Z")).toBe(true); // 01:30 again
    expect(isHalf(twice, "2026-11-01T07:29:59.999Z")).toBe(true);
    expect(isHalf(twice, "2026-11-01T07:30:00Z")).toBe(false);
    const never = hours("America/New_York", "02:15", "02:45");
    for (let minute = 0; minute < 180; minute++) {
      const at = new Date(Date.UTC(2026, 2, 8, 6, minute)).toISOString();
      expect(isHalf(never, at), at).toBe(false);
    }
  });

  it("a window reaches over midnight, in a zone of half hours too", () => {
    // 22:00 to 06:00 in Kolkata (UTC+5:30) is 16:30 to 00:30 UTC.
    const list = hours("Asia/Kolkata", "22:00", "06:00");
    expect(isHalf(list, "2026-05-05T16:29:59.999Z")).toBe(false);
    expect(isHalf(list, "2026-05-05T16:30:00Z")).toBe(true);
    expect(isHalf(list, "2026-05-05T18:30:00Z")).toBe(true); // midnight there
    expect(isHalf(list, "2026-05-06T00:29:59.999Z")).toBe(true);
    expect(isHalf(list, "2026-05-06T00:30:00Z")).toBe(false);
  });
});

describe("amounts", () => {
  it("tiers go by all input, cached tokens included, and price the whole call", () => {
    // EUR 2.50, 0.25, 12.50 and, above 200,000, 5, 0.5, 18.75 a million, at $1.0842.
    const asked = { model: "claude-sonnet-4-5", provider: "anthropic", tenant: "acme", at: "2026-02-01T00:00:00Z" };
    expect(cost(example, { ...asked, usage: { input: 200_000 } })).toBe(542_100_000);
    expect(cost(example, { ...asked, usage: { input: 200_001 } })).toBe(1_084_205_421);
    expect(cost(example, { ...asked, usage: { input: 1, cacheRead: 200_000 } })).toBe(108_425_421);
  });

  it("a service tier multiplies; one without a factor is billed as standard and said to be", () => {
    const list = "prices: [{ model: m, per_million: { input: 3 }, service_tiers: { batch: 0.5, priority: 1.75 } }]";
    expect(cost(list, { tier: "batch" })).toBe(1_500_000);
    expect(cost(list, { tier: "priority" })).toBe(5_250_000);
    expect(cost(list, { tier: "default" })).toBe(3_000_000);
    expect(cost(list, { tier: "turbo" })).toBe(3_000_000);
    expect(find(list, { tier: "turbo" })?.flags).toEqual(["service_tier_unpriced"]);
    expect(find(list, { tier: "batch" })?.flags).toEqual([]);
    // OpenAI: batch and flex cost half; gpt-4o is $2.50 a million. Its priority prices differ by model.
    expect(cost(list, { model: "gpt-4o", tier: "batch" })).toBe(1_250_000);
    expect(find(list, { model: "gpt-4o", tier: "priority" })?.flags).toEqual(["service_tier_unpriced"]);
  });

  it("another currency is taken at the rate of the day", () => {
    const asked = { model: "claude-sonnet-4-5", provider: "anthropic", tenant: "acme" };
    expect(cost(example, { ...asked, at: "2026-06-30T23:59:59.999Z" })).toBe(2_710_500);
    expect(cost(example, { ...asked, at: "2026-07-01T00:00:00Z" })).toBe(2_753_250);
  });

  it("rented GPUs: the hour's rent over the tokens of 3,600 seconds", () => {
    // 8 x $2.10 / 3600 s / 42,000 tokens/s = 111.111111111 nano-dollars a token (rounded to 1e-18 dollars), output 897.435897436.
    const asked = { model: "llama-4-70b", provider: "" };
    expect(cost(example, { ...asked, usage: { input: 1_000_000 } })).toBe(111_111_111);
    expect(cost(example, { ...asked, usage: { output: 1_000_000 } })).toBe(897_435_897);
    const one = "prices: [{ model: m, gpu: { per_hour: 3.60, tokens_per_second: 1000 } }]";
    expect(cost(one, { usage: { input: 10, cacheRead: 20, output: 30, reasoning: 40 } })).toBe(100_000);
  });

  it("a fixed cost is shared by the volume of a month, per token or per call", () => {
    // $5,000 over 2e9 tokens: 2,500 nano-dollars for each token of any kind.
    const usage = { input: 1, cacheRead: 2, cacheWrite5m: 3, cacheWrite1h: 4, output: 5, reasoning: 6 };
    expect(cost(example, { model: "gpt-5-ptu", provider: "", usage })).toBe(52_500);
    const calls =
      "prices: [{ model: m, per_million: { input: 1 }, platform: { per_month: 5000, calls_per_month: 3000000 } }]";
    // $5,000 / 3,000,000 = 1,666,666.67 nano-dollars, and 1,000 tokens at $1 a million.
    expect(cost(calls)).toBe(2_666_667);
  });

  it("images, seconds of audio and calls", () => {
    const none = { provider: "", usage: {} };
    expect(cost(example, { ...none, model: "imagen-9", images: 3 })).toBe(120_000_000);
    expect(cost(example, { ...none, model: "whisper-9", audioMs: 1500 })).toBe(150_000);
    // 100 text, 600 sound and 300 picture tokens in at $4, $32 and $5; 10 text and 90 sound tokens out at $16 and $64.
    const modalities = {
      audioInput: 600,
      audioCacheRead: 0,
      audioOutput: 90,
      imageInput: 300,
      imageCacheRead: 0,
      imageOutput: 0,
    };
    const spoken = { model: "voice-9", usage: { input: 1000, output: 100 }, modalities };
    expect(cost(example, spoken)).toBe(400_000 + 19_200_000 + 1_500_000 + 160_000 + 5_760_000);
    expect(cost(example, { ...none, model: "rerank-9" })).toBe(2_000_000);
    // OpenAI's whisper-1: $0.006 a minute.
    expect(cost("prices: []", { model: "whisper-1", usage: {}, audioMs: 60_000 })).toBe(6_000_000);
  });

  it("every digit counts, where floats have no more", () => {
    const list = "prices: [{ model: m, per_million: { input: 0.123456789012 } }]";
    // A token is 123,456,789,012e-18 dollars; 1e9 tokens are 123,456,789.012 nano-dollars x 1000.
    expect(cost(list, { usage: { input: 1_000_000_000 } })).toBe(123_456_789_012);
  });
});

describe("a wrong list", () => {
  const problem = (text: string) => {
    try {
      parsePriceList(text, "prices.yaml");
    } catch (error) {
      if (error instanceof PriceListError) return error.problems;
      throw error;
    }
    return [];
  };
  const entry = (text: string) => `prices:\n  - model: m\n    ${text}\n`;

  it.each([
    ["a list at the top", "- model: m", "prices.yaml:1: the list: expected a mapping with prices"],
    ["an unknown key", "price: []", "prices.yaml:1: price: unknown key, did you mean prices?"],
    ["an unknown key of an entry", entry("per_milion: { input: 1 }"), "did you mean per_million?"],
    [
      "an unknown rate",
      entry("per_million: { imput: 1 }"),
      "prices.yaml:3: prices[0].per_million.imput: unknown key, did you mean input?",
    ],
    [
      "an unknown key far from all",
      entry("colour: blue"),
      "prices[0].colour: unknown key; known keys: model, provider",
    ],
    ["no model", "prices: [{ per_million: { input: 1 } }]", "prices[0].model: expected a name, got nothing"],
    ["no price", entry("provider: openai"), "prices[0]: expected at least one of per_million, gpu"],
    [
      "an amount in words",
      entry("per_million: { input: cheap }"),
      'prices[0].per_million.input: expected an amount in digits like 2.50, got "cheap"',
    ],
    ["a negative amount", entry("per_million: { input: -1 }"), 'got "-1"'],
    ["an amount with an exponent", entry("per_million: { input: 1e-7 }"), 'got "1e-7"'],
    [
      "neither input nor output",
      entry("per_million: { reasoning: 1 }"),
      "prices[0].per_million: expected input, output or both",
    ],
    ["a star within", "prices: [{ model: 'a*b', per_call: 1 }]", "expected a star at the end only"],
    [
      "a date that is none",
      entry("{ per_call: 1, from: 2026-02-31 }").replace("model: m\n    {", "{ model: m,"),
      "prices[0].from: expected a time like 2026-01-31",
    ],
    [
      "an end before its beginning",
      "prices: [{ model: m, per_call: 1, from: 2026-02-01, to: 2026-02-01 }]",
      "`to` must be later than `from`",
    ],
    [
      "two prices for one time",
      "prices: [{ model: m, per_call: 1 }, { model: m, per_call: 2 }]",
      "prices[1]: the same model, provider, tenant and from as prices[0]",
    ],
    [
      "tiers that fall",
      entry(
        "per_million: { input: 1 }\n    tiers: [{ above_input: 2, per_million: { input: 1 } }, { above_input: 1, per_million: { input: 1 } }]",
      ),
      "tiers must rise by above_input",
    ],
    [
      "a tier without a bound",
      entry("per_million: { input: 1 }\n    tiers: [{ per_million: { input: 1 } }]"),
      "prices[0].tiers[0].above_input: expected a whole number above 0",
    ],
    [
      "a factor for the plain tier",
      entry("per_million: { input: 1 }\n    service_tiers: { default: 2 }"),
      "service_tiers.default: the plain rates are for default already",
    ],
    [
      "a zone that is none",
      entry("per_call: 1\n    times: [{ zone: Mars/Olympus, from: '01:00', to: '02:00', factor: 2 }]"),
      "expected an IANA time zone like Asia/Shanghai",
    ],
    [
      "a time of day that is none",
      entry("per_call: 1\n    times: [{ zone: UTC, from: '24:00', to: '02:00', factor: 2 }]"),
      "expected a time of day like 08:30",
    ],
    [
      "a window without an effect",
      entry("per_call: 1\n    times: [{ zone: UTC, from: '01:00', to: '02:00' }]"),
      "expected factor or per_million",
    ],
    [
      "an empty window",
      entry("per_call: 1\n    times: [{ zone: UTC, from: '01:00', to: '01:00', factor: 2 }]"),
      "expected a `to` other than `from`",
    ],
    [
      "rates by hour beside tiers",
      entry(
        "per_million: { input: 1 }\n    tiers: [{ above_input: 1, per_million: { input: 1 } }]\n    times: [{ zone: UTC, from: '01:00', to: '02:00', per_million: { input: 1 } }]",
      ),
      "an entry with tiers takes a factor in times",
    ],
    ["GPUs without a throughput", entry("gpu: { per_hour: 2 }"), "expected tokens_per_second, or both"],
    ["GPUs of no throughput", entry("gpu: { per_hour: 2, tokens_per_second: 0 }"), "expected a number above 0"],
    [
      "GPUs and rates",
      entry("per_million: { input: 1 }\n    gpu: { per_hour: 2, tokens_per_second: 1 }"),
      "expected per_million or gpu, not both",
    ],
    [
      "a fixed cost without a volume",
      entry("platform: { per_month: 5 }"),
      "expected one volume: calls_per_month or tokens_per_month",
    ],
    ["a currency without a rate", entry("per_call: 1\n    currency: EUR"), "expected a rate under exchange for EUR"],
    [
      "a rate that comes too late",
      "exchange: [{ currency: EUR, usd: 1, from: 2026-02-01 }]\nprices: [{ model: m, per_call: 1, currency: EUR, from: 2026-01-01 }]",
      "expected a rate under exchange for EUR",
    ],
    [
      "a currency that is none",
      entry("per_call: 1\n    currency: euro"),
      "expected a currency of three letters like EUR",
    ],
    ["YAML that is none", "prices: [", "prices.yaml:1:"],
  ])("%s is refused once, with its place", (_, text, message) => {
    const problems = problem(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(message);
  });

  it("all problems are told at once", () => {
    expect(
      problem("prices:\n  - { model: m, per_call: x }\n  - { per_call: 1 }\n  - { model: n, per_cal: 1 }\n").length,
    ).toBeGreaterThanOrEqual(3);
  });

  it("a rate beyond any price is refused", () => {
    expect(problem(entry("per_million: { input: 100000 }"))[0]).toContain("at most 99,999 dollars per million tokens");
  });
});
