/** What the index remembers of a span. */

import type { Reading } from "../dialects/dialect.ts";
import { flags } from "../dialects/flags.ts";
import { type SeenSpan, spanBits } from "../event-log/usage-log.ts";
import { totalInput, totalOutput, type Usage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { NameIndex } from "../pricing/name-index.ts";
import { contentHash } from "./content-hash.ts";

/** Who wrote a span, beside the record that was made of it. */
export type Emitter = Pick<Reading, "dialect" | "level"> & { readonly scope: string };

const space = 32;
const zero = 48;
const rankOfProvider = 128;
const rankOfResponseId = 64;

/** A span that was not seen before, or a newer revision of it. It is not billed yet. */
export function seenSpanOf(record: UsageRecord, emitter: Emitter): SeenSpan {
  const { usage } = record;
  const wrapper = emitter.level === "wrapper";
  const aggregated = record.flags.includes(flags.usageAggregated);
  const input = totalInput(usage);
  const output = totalOutput(usage);
  return {
    spanId: record.spanId,
    parentSpanId: record.parentSpanId,
    startUs: record.startUs,
    endUs: record.endUs,
    // What the emitter calls it: re-pricing raises the stored revision, and the emitter does not know.
    revision: record.revision - record.repricings,
    contentHash: contentHash(record),
    responseHash: record.responseId === "" ? 0 : hash32(record.responseId),
    callHash: input + output === 0 ? 0 : callHashOf(record, input, output),
    modelHash: modelHashOf(record.model),
    emitterHash: emitterHashOf(emitter),
    rank: (wrapper ? 0 : rankOfProvider) + (record.responseId === "" ? 0 : rankOfResponseId) + bucketsTold(usage),
    bits:
      (wrapper ? spanBits.wrapper : 0) |
      (aggregated ? spanBits.aggregated : 0) |
      (record.calls !== 0 ? spanBits.billable : 0),
    place: -1,
  };
}

/** What one instrumentation calls a chat is to another a completion or generated content. */
const kinds = { embeddings: mixText("embeddings "), rerank: mixText("rerank "), generation: mixText("generation ") };

function callHashOf({ operation }: UsageRecord, input: number, output: number): number {
  const kind = operation === "embeddings" || operation === "rerank" ? kinds[operation] : kinds.generation;
  return mixDigits(mix(mixDigits(kind, input), space), output) | 0 || 1;
}

function bucketsTold({ input, cacheRead, cacheWrite5m, cacheWrite1h, output, reasoning }: Usage): number {
  return (
    Number(input > 0) +
    Number(cacheRead > 0) +
    Number(cacheWrite5m > 0) +
    Number(cacheWrite1h > 0) +
    Number(output > 0) +
    Number(reasoning > 0)
  );
}

/** Few models and emitters, many spans: their hashes are remembered, up to a bound. */
const rememberedMax = 4096;
const models = new Map<string, number>();
const emitters = new NameIndex<number>(rememberedMax);

function modelHashOf(model: string): number {
  const known = models.get(model);
  if (known !== undefined) return known;
  if (models.size >= rememberedMax) models.clear();
  const hash = shortHash(familyOf(model));
  models.set(model, hash);
  return hash;
}

function emitterHashOf({ dialect, scope }: Emitter): number {
  const known = emitters.get(scope, dialect);
  if (known !== undefined) return known;
  const hash = shortHash(`${dialect} ${scopeName(scope)}`);
  emitters.set(scope, dialect, hash);
  return hash;
}

/** One instrumentation names the requested model, another the one that answered, with its date or its path. */
function familyOf(model: string): string {
  const name = model.slice(model.lastIndexOf("/") + 1).toLowerCase();
  return name.replace(/[@:].*$/, "").replace(/-(?:20\d{2}-\d{2}-\d{2}|20\d{6}|\d{4}|latest)$/, "");
}

function scopeName(scope: string): string {
  const at = scope.lastIndexOf("@");
  return at > 0 ? scope.slice(0, at) : scope;
}

function shortHash(text: string): number {
  return hash32(text) & 0xffff;
}

/** FNV-1a, never 0. Signed: V8 keeps such a number in a field, and a larger one as an object beside it. */
function hash32(text: string): number {
  return mixText(text) | 0 || 1;
}

function mixText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = mix(hash, text.charCodeAt(index));
  return hash;
}

/** As the decimal text of a whole number would be, without making it. */
function mixDigits(hash: number, number: number): number {
  let unit = 1;
  while (unit * 10 <= number) unit *= 10;
  let mixed = hash;
  for (let rest = number; unit >= 1; unit /= 10) {
    const digit = Math.floor(rest / unit);
    rest -= digit * unit;
    mixed = mix(mixed, zero + digit);
  }
  return mixed;
}

function mix(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193);
}
