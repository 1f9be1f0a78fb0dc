/** The price list as a file: keys, what each must look like, and the words for what it does not. Values arrive as text. */

import { z } from "zod";
import { type Fraction, parseDecimal } from "./decimal.ts";

const shown = (value: unknown) => JSON.stringify(value) ?? "nothing";
const expected = (what: string) => ({
  error: (issue: { input?: unknown }) => `expected ${what}, got ${shown(issue.input)}`,
});

/** Text that `read` understands; undefined from `read` is a mistake. */
function textAs<Value>(what: string, read: (text: string) => Value | undefined) {
  return z.string(expected(what)).transform((text, context): Value => {
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: `expected ${what}, got ${shown(text)}` });
    return z.NEVER;
  });
}

const amount = textAs("an amount in digits like 2.50", parseDecimal);
const positive = textAs("a number above 0 like 2400", (text): Fraction | undefined => {
  const value = parseDecimal(text);
  return value === undefined || value.numerator === 0n ? undefined : value;
});
const count = textAs("a whole number above 0", (text) => (/^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined));
const name = z.string(expected("a name")).min(1, "expected a name, got nothing");
const currency = textAs("a currency of three letters like EUR", (text) => (/^[A-Z]{3}$/.test(text) ? text : undefined));
const instant = textAs("a time like 2026-01-31 (midnight UTC) or 2026-01-31T08:00:00.000001+01:00", readInstant);
const timeOfDay = textAs("a time of day like 08:30", (text) => {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * 60 + Number(match[2]);
});
const zone = textAs("an IANA time zone like Asia/Shanghai", (text) => {
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    // Offsets are taken by the runtime too, but know no daylight saving.
    return /^[A-Za-z]/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
});

/** Unix microseconds of a date or an RFC 3339 time with up to six decimals. */
function readInstant(text: string): number | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?([Zz]|[+-]\d{2}:\d{2}))?$/.exec(text);
  if (match === null) return undefined;
  const [, date = "", time = "00:00:00", fraction = "", offset = "Z"] = match;
  const milliseconds = Date.parse(`${date}T${time}${offset.toUpperCase()}`);
  if (Number.isNaN(milliseconds)) return undefined;
  // The runtime takes a 31st of February for March.
  const day = new Date(`${date}T00:00:00Z`).toISOString().slice(0, 10);
  return day === date ? milliseconds * 1000 + Number(fraction.padEnd(6, "0")) : undefined;
}

const perMillion = z
  .strictObject(
    {
      input: amount.optional(),
      cache_read: amount.optional(),
      cache_write: amount.optional(),
      cache_write_1h: amount.optional(),
      output: amount.optional(),
      reasoning: amount.optional(),
      audio_input: amount.optional(),
      audio_cache_read: amount.optional(),
      audio_output: amount.optional(),
      image_input: amount.optional(),
      image_cache_read: amount.optional(),
      image_output: amount.optional(),
    },
    expected("amounts per million tokens: input, output, cache_read ..."),
  )
  .refine(({ input, output }) => input !== undefined || output !== undefined, "expected input, output or both");

const gpu = z
  .strictObject(
    {
      per_hour: amount,
      gpus: positive.optional(),
      tokens_per_second: positive.optional(),
      input_tokens_per_second: positive.optional(),
      output_tokens_per_second: positive.optional(),
    },
    expected("per_hour, gpus and a measured throughput"),
  )
  .refine(
    ({ tokens_per_second, input_tokens_per_second, output_tokens_per_second }) =>
      tokens_per_second === undefined
        ? input_tokens_per_second !== undefined && output_tokens_per_second !== undefined
        : input_tokens_per_second === undefined && output_tokens_per_second === undefined,
    "expected tokens_per_second, or both input_tokens_per_second and output_tokens_per_second",
  );

const platform = z
  .strictObject(
    { per_month: amount, calls_per_month: positive.optional(), tokens_per_month: positive.optional() },
    expected("per_month and a volume"),
  )
  .refine(
    ({ calls_per_month, tokens_per_month }) => (calls_per_month === undefined) !== (tokens_per_month === undefined),
    "expected one volume: calls_per_month or tokens_per_month",
  );

const window = z
  .strictObject(
    { zone, from: timeOfDay, to: timeOfDay, factor: amount.optional(), per_million: perMillion.optional() },
    expected("zone, from, to and a factor"),
  )
  .refine(
    (given) => (given.factor === undefined) !== (given.per_million === undefined),
    "expected factor or per_million",
  )
  .refine(({ from, to }) => from !== to, "expected a `to` other than `from`");

const priceKinds = ["per_million", "gpu", "per_call", "per_image", "per_audio_second", "platform"] as const;

const entry = z
  .strictObject(
    {
      model: name.refine((text) => !/\*./.test(text), "expected a star at the end only"),
      provider: name.default(""),
      tenant: name.default(""),
      from: instant.optional(),
      to: instant.optional(),
      currency: currency.optional(),
      per_million: perMillion.optional(),
      tiers: z
        .array(
          z.strictObject({ above_input: count, per_million: perMillion }, expected("above_input and per_million")),
          expected("a list"),
        )
        .default([]),
      service_tiers: z.record(z.string(), amount, expected("factors by tier, like batch: 0.5")).default({}),
      times: z.array(window, expected("a list")).default([]),
      gpu: gpu.optional(),
      per_call: amount.optional(),
      per_image: amount.optional(),
      per_audio_second: amount.optional(),
      platform: platform.optional(),
    },
    expected("a price: model and per_million, gpu ..."),
  )
  .refine(
    (given) => priceKinds.some((kind) => given[kind] !== undefined),
    `expected at least one of ${priceKinds.join(", ")}`,
  )
  .refine(
    (given) => given.gpu === undefined || given.per_million === undefined,
    "expected per_million or gpu, not both",
  );

/** The whole file. */
export const listSchema = z.strictObject(
  {
    currency: currency.default("USD"),
    exchange: z
      .array(
        z.strictObject({ currency, usd: positive, from: instant.optional() }, expected("currency, usd and from")),
        expected("a list"),
      )
      .default([]),
    prices: z.array(entry, expected("a list")).default([]),
  },
  expected("a mapping with prices"),
);

export type ListText = z.infer<typeof listSchema>;
export type EntryText = ListText["prices"][number];

const keysOfPlaces: readonly (readonly [place: RegExp, keys: readonly string[]])[] = [
  [/^$/, Object.keys(listSchema.shape)],
  [/^exchange$/, ["currency", "usd", "from"]],
  [/per_million$/, Object.keys(perMillion.shape)],
  [/gpu$/, Object.keys(gpu.shape)],
  [/platform$/, Object.keys(platform.shape)],
  [/times$/, Object.keys(window.shape)],
  [/tiers$/, ["above_input", "per_million"]],
  [/^prices$/, Object.keys(entry.shape)],
];

/** The keys that may stand at a path. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  const place = path.filter((step) => typeof step === "string").join(".");
  return keysOfPlaces.find(([pattern]) => pattern.test(place))?.[1] ?? [];
}
