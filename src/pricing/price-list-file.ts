/** From the text of a price list to the list. Every scalar is read as text, so that each digit of an amount counts. */

import { createHash } from "node:crypto";
import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { nearestName } from "../model/nearest-name.ts";
import { type Fraction, one, product, quotient, whole, zero } from "./decimal.ts";
import type { DayWindow, Exchange, PerMillion, PriceEntry, PriceList } from "./price-list.ts";
import { type EntryText, keysAt, type ListText, listSchema } from "./price-list-schema.ts";
import { isStandardTier } from "./tier-factors.ts";

/** What the digits of a price tag hold. */
const dollarsPerMillionMax = 99_999;

/** What is wrong with a price list, one line each: file, line, path, expected, found. */
export class PriceListError extends Error {
  override readonly name = "PriceListError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/**
 * The list that a text describes.
 * @param name of the file, for the messages.
 * @throws PriceListError with every problem found.
 */
export function parsePriceList(text: string, name: string): PriceList {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number | undefined) =>
    offset === undefined ? name : `${name}:${lines.linePos(offset).line}`;
  if (document.errors.length > 0)
    throw new PriceListError(document.errors.map(({ pos, message }) => `${lineAt(pos[0])}: ${message}`));
  const at = (path: readonly PropertyKey[]) => {
    // The deepest node on the way that exists: of a missing key, the mapping that lacks it.
    for (let depth = path.length; depth >= 0; depth--) {
      const node = document.getIn(path.slice(0, depth), true) as { range?: readonly number[] } | undefined;
      if (node?.range?.[0] !== undefined) return lineAt(node.range[0]);
    }
    return name;
  };
  const parsed = listSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success)
    throw new PriceListError(
      telling(parsed.error.issues).flatMap((issue) =>
        problemsOf(issue).map((problem) => `${at(issue.path)}: ${problem}`),
      ),
    );
  const list = listOf(parsed.data, createHash("sha256").update(text).digest("hex").slice(0, 12));
  const problems = inconsistencies(list).map(
    ({ index, problem }) => `${at(["prices", index])}: prices[${index}]: ${problem}`,
  );
  if (problems.length > 0) throw new PriceListError(problems);
  return list;
}

/** What a mapping lacks is often what stands there under a wrong name: told once. */
function telling(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  const misnamed = new Set(issues.flatMap(({ code, path }) => (code === "unrecognized_keys" ? [pathText(path)] : [])));
  return issues.filter(({ code, path }) => code !== "custom" || !misnamed.has(pathText(path)));
}

function problemsOf(issue: z.core.$ZodIssue): readonly string[] {
  const place = pathText(issue.path);
  if (issue.code !== "unrecognized_keys") return [`${place === "" ? "the list" : place}: ${issue.message}`];
  const known = keysAt(issue.path);
  return issue.keys.map((key) => {
    const nearest = nearestName(key, known);
    const advice = nearest === undefined ? `; known keys: ${known.join(", ")}` : `, did you mean ${nearest}?`;
    return `${pathText([...issue.path, key])}: unknown key${advice}`;
  });
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === "number" ? `${text}[${step}]` : text === "" ? String(step) : `${text}.${String(step)}`,
    "",
  );
}

function listOf({ currency, exchange, prices }: ListText, version: string): PriceList {
  return {
    version,
    entries: prices.map((entry) => entryOf(entry, currency)),
    exchanges: exchange.map((each): Exchange => ({ ...each, fromUs: each.from ?? Number.NEGATIVE_INFINITY })),
  };
}

function entryOf(entry: EntryText, currency: string): PriceEntry {
  const isPrefix = entry.model.endsWith("*");
  const { platform } = entry;
  return {
    model: isPrefix ? entry.model.slice(0, -1) : entry.model,
    isPrefix,
    provider: entry.provider,
    tenant: entry.tenant,
    fromUs: entry.from ?? Number.NEGATIVE_INFINITY,
    toUs: entry.to ?? Number.POSITIVE_INFINITY,
    currency: entry.currency ?? currency,
    perMillion: entry.gpu === undefined ? perMillionOf(entry.per_million ?? {}) : gpuPerMillion(entry.gpu),
    tiers: entry.tiers.map(({ above_input, per_million }) => ({
      inputAbove: above_input,
      perMillion: perMillionOf(per_million),
    })),
    serviceTiers: new Map(Object.entries(entry.service_tiers)),
    windows: entry.times.map(
      ({ zone, from, to, factor, per_million }): DayWindow => ({
        zone,
        fromMinute: from,
        toMinute: to,
        factor,
        perMillion: per_million && perMillionOf(per_million),
      }),
    ),
    perCall: entry.per_call ?? zero,
    perImage: entry.per_image ?? zero,
    perAudioSecond: entry.per_audio_second ?? zero,
    sharePerCall: share(platform?.per_month, platform?.calls_per_month),
    sharePerToken: share(platform?.per_month, platform?.tokens_per_month),
  };
}

function share(perMonth: Fraction | undefined, volume: Fraction | undefined): Fraction {
  return perMonth === undefined || volume === undefined ? zero : quotient(perMonth, volume);
}

function perMillionOf(text: NonNullable<EntryText["per_million"]>): PerMillion {
  const { input, cache_read, cache_write, cache_write_1h, output, reasoning } = text;
  const given = {
    input,
    cacheRead: cache_read,
    cacheWrite: cache_write,
    cacheWrite1h: cache_write_1h,
    output,
    reasoning,
    audioInput: text.audio_input,
    audioCacheRead: text.audio_cache_read,
    audioOutput: text.audio_output,
    imageInput: text.image_input,
    imageCacheRead: text.image_cache_read,
    imageOutput: text.image_output,
  };
  return Object.fromEntries(Object.entries(given).filter(([, amount]) => amount !== undefined)) as PerMillion;
}

/** An hour's rent over the tokens of an hour: 3,600 seconds of the throughput that was measured. */
function gpuPerMillion(gpu: NonNullable<EntryText["gpu"]>): PerMillion {
  const rent = product(gpu.per_hour, gpu.gpus ?? one, whole(1_000_000));
  const perMillion = (tokensPerSecond: Fraction | undefined) =>
    quotient(rent, product(tokensPerSecond ?? gpu.tokens_per_second ?? one, whole(3600)));
  return { input: perMillion(gpu.input_tokens_per_second), output: perMillion(gpu.output_tokens_per_second) };
}

/** What no schema of a single value can see. */
function inconsistencies(list: PriceList): { readonly index: number; readonly problem: string }[] {
  const found: { index: number; problem: string }[] = [];
  const firstOf = new Map<string, number>();
  for (const [index, entry] of list.entries.entries()) {
    const key = JSON.stringify([entry.model, entry.isPrefix, entry.provider, entry.tenant, String(entry.fromUs)]);
    const first = firstOf.get(key);
    if (first !== undefined)
      found.push({ index, problem: `the same model, provider, tenant and from as prices[${first}]` });
    else firstOf.set(key, index);
    if (entry.fromUs >= entry.toUs) found.push({ index, problem: "`to` must be later than `from`" });
    const rising = entry.tiers.every(({ inputAbove }, at) => inputAbove > (entry.tiers[at - 1]?.inputAbove ?? 0));
    if (!rising) found.push({ index, problem: "tiers must rise by above_input" });
    if (entry.tiers.length > 0 && entry.windows.some(({ perMillion }) => perMillion !== undefined))
      found.push({ index, problem: "an entry with tiers takes a factor in times, not per_million" });
    for (const tier of entry.serviceTiers.keys())
      if (isStandardTier(tier))
        found.push({ index, problem: `service_tiers.${tier}: the plain rates are for ${tier} already` });
    if (isTooDear(entry, list.exchanges))
      found.push({ index, problem: "expected at most 99,999 dollars per million tokens" });
    const { currency } = entry;
    const covered = list.exchanges.some((each) => each.currency === currency && each.fromUs <= entry.fromUs);
    if (currency !== "USD" && !covered)
      found.push({
        index,
        problem: `amounts are in ${currency}: expected a rate under exchange for ${currency} from the entry's \`from\` or before`,
      });
  }
  return found;
}

/** The dearest rate at the dearest tier, hour and exchange. */
function isTooDear(
  { perMillion, tiers, windows, serviceTiers, currency }: PriceEntry,
  exchanges: readonly Exchange[],
): boolean {
  const dearest = (amounts: readonly (Fraction | undefined)[]) =>
    amounts.reduce<number>(
      (most, amount) =>
        Math.max(most, amount === undefined ? 0 : Number(amount.numerator) / Number(amount.denominator)),
      0,
    );
  const rates = [perMillion, ...tiers.map((tier) => tier.perMillion), ...windows.map((window) => window.perMillion)];
  const factors = [
    [one, ...serviceTiers.values()],
    [one, ...windows.map(({ factor }) => factor)],
    currency === "USD" ? [one] : exchanges.filter((each) => each.currency === currency).map(({ usd }) => usd),
  ];
  const most = factors.reduce(
    (product, each) => product * dearest(each),
    dearest(rates.flatMap((each) => Object.values(each ?? {}))),
  );
  return most > dollarsPerMillionMax;
}
