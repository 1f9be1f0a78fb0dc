import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Modalities, noUsage } from "../model/usage.ts";
import { bundledVersion } from "./bundled-list.ts";
import { PriceBook } from "./price-book.ts";
import { type PricedCall, priceCall } from "./price-call.ts";
import { parsePriceList } from "./price-list-file.ts";

const book = new PriceBook(
  parsePriceList(
    "prices: [{ model: rerank-9, per_call: 0.002 }, { model: m, per_million: { input: 2 } }]",
    "prices.yaml",
  ),
);

function priced(over: Partial<PricedCall>) {
  const call: PricedCall = {
    tenant: "acme",
    provider: "openai",
    model: "m",
    operation: "chat",
    serviceTier: "",
    startUs: Date.UTC(2026, 5, 1) * 1000,
    status: "ok",
    usage: { ...noUsage, input: 1000 },
    modalities: null,
    images: 0,
    audioMs: 0,
    reportedNanoUsd: null,
    flags: [],
    ...over,
  };
  const { costNanoUsd, costStatus, flags } = priceCall(call, book);
  return { costNanoUsd, costStatus, flags };
}

const none = { usage: noUsage };

it("says how a cost came about", () => {
  expect(priced({})).toEqual({ costNanoUsd: 2_000_000, costStatus: "priced", flags: [] });
  expect(priced({ model: "nonesuch" })).toEqual({ costNanoUsd: null, costStatus: "unpriced_model", flags: [] });
  expect(priced(none)).toEqual({ costNanoUsd: null, costStatus: "no_usage", flags: [] });
  expect(priced({ ...none, status: "error" })).toEqual({ costNanoUsd: 0, costStatus: "no_usage", flags: [] });
  expect(priced({ operation: "execute_tool" })).toEqual({ costNanoUsd: 0, costStatus: "not_billable", flags: [] });
  expect(priced({ flags: ["usage_aggregated"] })).toMatchObject({ costNanoUsd: 2_000_000, costStatus: "estimated" });
});

it("takes the emitter's figure where no list has a price, but not its 0", () => {
  expect(priced({ model: "nonesuch", reportedNanoUsd: 7 })).toEqual({
    costNanoUsd: 7,
    costStatus: "reported",
    flags: [],
  });
  expect(priced({ model: "nonesuch", reportedNanoUsd: 0 })).toMatchObject({
    costNanoUsd: null,
    costStatus: "unpriced_model",
  });
});

it("prices a call without tokens where the price is by call", () => {
  expect(priced({ ...none, model: "rerank-9", operation: "rerank" })).toMatchObject({
    costNanoUsd: 2_000_000,
    costStatus: "priced",
  });
});

it("flags an emitter's cost that is more than a twentieth from ours, and no other", () => {
  expect(priced({ reportedNanoUsd: 1_900_000 }).flags).toEqual([]);
  expect(priced({ reportedNanoUsd: 1_899_999 }).flags).toEqual(["cost_diverges"]);
  expect(priced({ reportedNanoUsd: 2_105_263 }).flags).toEqual([]);
  expect(priced({ reportedNanoUsd: 2_105_264 }).flags).toEqual(["cost_diverges"]);
});

it("a price's old flags go when it is priced again, and others stay, sorted", () => {
  const flags = ["cost_diverges", "service_tier_unpriced", "time_missing"];
  expect(priced({ flags, reportedNanoUsd: 2_000_000 }).flags).toEqual(["time_missing"]);
  expect(priced({ flags: ["time_missing"], serviceTier: "flex" }).flags).toEqual([
    "service_tier_unpriced",
    "time_missing",
  ]);
});

it("flags sound and pictures made that cost what text does for want of a rate, not pictures read", () => {
  const none = { audioInput: 0, audioCacheRead: 0, audioOutput: 0, imageInput: 0, imageCacheRead: 0, imageOutput: 0 };
  const flagsOf = (model: string, own: Partial<Modalities>) =>
    priced({ model, usage: { ...noUsage, input: 100, output: 100 }, modalities: { ...none, ...own } }).flags;
  expect(flagsOf("gpt-4o", { audioInput: 1 })).toEqual(["modality_unpriced"]);
  expect(flagsOf("gpt-4o", { imageOutput: 1 })).toEqual(["modality_unpriced"]);
  expect(flagsOf("gpt-4o", { imageInput: 100 })).toEqual([]);
  expect(flagsOf("gpt-realtime", { audioInput: 1, audioOutput: 1 })).toEqual([]);
  expect(priced({ flags: ["modality_unpriced"] }).flags).toEqual([]);
});

it("names the version of the bundled list that is installed", () => {
  const lock = JSON.parse(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8"));
  expect(bundledVersion).toBe(`genai-prices-${lock.packages["node_modules/@pydantic/genai-prices"].version}`);
});
