/** What the collector bills of recorded cases: through its own log, resolver, roles and prices. */

import { dialectOf, keepsSpan } from "../../src/dialects/dialects.ts";
import type { Span } from "../../src/model/span.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import { openResolverRig } from "../support/resolver.ts";
import { arrived, type RecordedCase } from "./recorded.ts";

/**
 * How the spans of a case reach the collector: together, as their producer ended them; one by one, parents first; or so,
 * and each when the trace was taken to be complete already.
 */
export type Arrival = "together" | "parents first" | "late";

export interface ResolvedCases {
  /** The records that stand of each case once its trace was quiet, in the order in which they were billed. */
  readonly billed: ReadonlyMap<RecordedCase, readonly UsageRecord[]>;
  readonly unknownUsageKeys: readonly string[];
}

/** Sends every case, waits until the traces are quiet, and says what stands. */
export async function resolveCases(cases: readonly RecordedCase[], arrival: Arrival): Promise<ResolvedCases> {
  const ends = cases.flatMap(({ spans }) => spans.map(({ endUs }) => endUs));
  const rig = openResolverRig(Math.ceil(Math.max(...ends) / 1000));
  try {
    for (const { spans } of cases) {
      for (const some of exportsOf(spans.map(arrived), arrival)) {
        await rig.send(...some);
        if (arrival === "late") await rig.quiet();
      }
    }
    await rig.quiet();
    const standing = new Map<string, UsageRecord>();
    for (const record of rig.table) {
      const key = `${record.traceId}${record.spanId}`;
      if (record.calls < 0) standing.delete(key);
      else if (record.calls > 0) standing.set(key, record);
    }
    const byTrace = Map.groupBy(standing.values(), ({ traceId }) => traceId);
    const tracesOf = ({ spans }: RecordedCase) => [...new Set(spans.map(({ traceId }) => traceId))];
    return {
      billed: new Map(cases.map((one) => [one, tracesOf(one).flatMap((traceId) => byTrace.get(traceId) ?? [])])),
      unknownUsageKeys: rig.steps.flatMap(({ unknownUsageKeys }) => unknownUsageKeys),
    };
  } finally {
    await rig.close();
  }
}

/** The dialect that a billed record was read in. */
export function dialectOfRecord({ spans }: RecordedCase, record: UsageRecord | undefined): string {
  const span = spans.find(({ spanId }) => spanId === record?.spanId);
  return (span === undefined ? undefined : dialectOf(arrived(span))?.name) ?? "none";
}

function exportsOf(spans: readonly Span[], arrival: Arrival): readonly (readonly Span[])[] {
  // As at the door: what no dialect keeps is not written to the log.
  const kept = spans.filter(keepsSpan);
  return arrival === "together" ? [kept] : kept.toReversed().map((span) => [span]);
}
