/** What the index remembers of a span. */

import type { Reading } from "../dialects/dialect.ts";
import { flags } from "../dialects/flags.ts";
import { type SeenSpan, spanBits } from "../event-log/usage-log.ts";
import { totalInput, totalOutput, type Usage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { contentHash } from "./content-hash.ts";

/** Who wrote a span, beside the record that was made of it. */
export type Emitter = Pick<Reading, "dialect" | "level"> & { readonly scope: string };

const rankOfProvider = 128;
const rankOfResponseId = 64;

/** A span that was not seen before, or a newer revision of it. It is not billed yet. */
export function seenSpanOf(record: UsageRecord, emitter: Emitter): SeenSpan {
  const { usage } = record;
  const wrapper = emitter.level === "wrapper";
  const aggregated = record.flags.includes(flags.usageAggregated);
  const tokens = totalInput(usage) + totalOutput(usage);
  return {
    spanId: record.spanId,
    parentSpanId: record.parentSpanId,
    startUs: record.startUs,
    endUs: record.endUs,
    // What the emitter calls it: re-pricing raises the stored revision, and the emitter does not know.
    revision: record.revision - record.repricings,
    contentHash: contentHash(record),
    responseHash: record.responseId === "" ? 0 : hash32(record.responseId),
    callHash: tokens === 0 ? 0 : hash32(`${kindOf(record)} ${totalInput(usage)} ${totalOutput(usage)}`),
    modelHash: shortHash(familyOf(record.model)),
    emitterHash: shortHash(`${emitter.dialect} ${scopeName(emitter.scope)}`),
    rank: (wrapper ? 0 : rankOfProvider) + (record.responseId === "" ? 0 : rankOfResponseId) + bucketsTold(usage),
    bits:
      (wrapper ? spanBits.wrapper : 0) |
      (aggregated ? spanBits.aggregated : 0) |
      (record.calls !== 0 ? spanBits.billable : 0),
    place: -1,
  };
}

/** What one instrumentation calls a chat is to another a completion or generated content. */
function kindOf({ operation }: UsageRecord): string {
  return operation === "embeddings" || operation === "rerank" ? operation : "generation";
}

function bucketsTold(usage: Usage): number {
  return Object.values(usage).filter((tokens) => tokens > 0).length;
}

/** One instrumentation names the requested model, another the one that answered, with its date or its path. */
function familyOf(model: string): string {
  return remembered(families, model, () => {
    const name = model.slice(model.lastIndexOf("/") + 1).toLowerCase();
    return name.replace(/[@:].*$/, "").replace(/-(?:20\d{2}-\d{2}-\d{2}|20\d{6}|\d{4}|latest)$/, "");
  });
}

function scopeName(scope: string): string {
  const at = scope.lastIndexOf("@");
  return at > 0 ? scope.slice(0, at) : scope;
}

/** Few models and emitters, many spans: their hashes are remembered, up to a bound. */
const families = new Map<string, string>();
const shortHashes = new Map<string, number>();
const rememberedMax = 4096;

function shortHash(text: string): number {
  return remembered(shortHashes, text, () => hash32(text) & 0xffff);
}

function remembered<Value>(known: Map<string, Value>, key: string, find: () => Value): Value {
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size >= rememberedMax) known.clear();
  const value = find();
  known.set(key, value);
  return value;
}

/** FNV-1a, never 0. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0 || 1;
}
