/**
 * What the first stage of a cluster's detectors tells the second: what records add to each series, minute by minute. A
 * sum looks like a record, with as many calls as it stands for and without the names that nobody asks for who sums.
 */

import { addUsage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { timeOf } from "./observation-of.ts";

const minuteMs = 60_000;

const unnamed = {
  service: "",
  environment: "",
  user: "",
  session: "",
  agent: "",
  run: "",
  promptName: "",
  promptVersion: "",
  promptHash: "",
  release: "",
  parentSpanId: "",
  operation: "chat",
  requestModel: "",
  responseId: "",
  finishReason: "",
  status: "ok",
  errorType: "",
  tool: "",
  toolArgsHash: "",
  outcome: "",
  modalities: null,
  images: 0,
  audioMs: 0,
  serviceTier: "",
  priceTag: "",
  costCarry: 0,
  repricings: 0,
  flags: [],
} as const;

type Sum = { -readonly [Key in keyof UsageRecord]: UsageRecord[Key] };

/**
 * The sums of records that arrived together at `arrivedAtMs`, in the order of their minutes. Ids are those of the last
 * record of each, as an example. @param isMeasured whose tokens are held against joules: they are summed by instance.
 */
export function deltasOf(
  records: readonly UsageRecord[],
  arrivedAtMs: number,
  isMeasured: (instance: string) => boolean,
): readonly UsageRecord[] {
  const sums = new Map<string, Sum>();
  for (const record of records) {
    const endUs = Math.floor(timeOf(record, arrivedAtMs) * 1000);
    const instance = isMeasured(record.instance) ? record.instance : "";
    const key = `${keyOf(record, endUs)}\0${instance}`;
    const known = sums.get(key);
    if (known === undefined) sums.set(key, { ...begun(record, endUs), instance });
    else add(known, record, endUs);
  }
  return [...sums.values()].sort((a, b) => a.endUs - b.endUs);
}

function begun(record: UsageRecord, endUs: number): Omit<Sum, "instance"> {
  const { tenant, feature, provider, model, traceId, spanId, usage } = record;
  const { calls, costNanoUsd, costStatus, reportedNanoUsd } = record;
  return {
    ...unnamed,
    ...{ tenant, feature, provider, model, traceId, spanId, startUs: endUs, endUs, usage },
    ...{ calls, costNanoUsd, costStatus, reportedNanoUsd, revision: isCorrection(record) ? 1 : 0 },
  };
}

function add(sum: Sum, record: UsageRecord, endUs: number): void {
  sum.traceId = record.traceId;
  sum.spanId = record.spanId;
  sum.endUs = Math.max(sum.endUs, endUs);
  sum.startUs = sum.endUs;
  sum.usage = addUsage(sum.usage, record.usage);
  sum.calls += record.calls;
  // Null in both or in none: it is part of the key.
  if (sum.costNanoUsd !== null) sum.costNanoUsd += record.costNanoUsd ?? 0;
  if (sum.reportedNanoUsd !== null) sum.reportedNanoUsd += record.reportedNanoUsd ?? 0;
}

/** Whatever a detector tells apart. */
function keyOf(record: UsageRecord, endUs: number): string {
  const { tenant, feature, provider, model, calls, costNanoUsd, costStatus, reportedNanoUsd } = record;
  const minute = Math.floor(endUs / 1000 / minuteMs);
  const kind = `${Math.sign(calls)} ${isCorrection(record)} ${costNanoUsd === null} ${costStatus} ${reportedNanoUsd === null}`;
  return `${tenant}\0${feature}\0${provider}\0${model}\0${minute} ${kind}`;
}

/** The difference that a correction makes. */
function isCorrection({ calls, revision }: UsageRecord): boolean {
  return calls === 0 && revision > 0;
}
