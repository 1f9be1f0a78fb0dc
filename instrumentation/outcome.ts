/** What a run achieved: joined to its calls by attribution, so that cost can be set against results. */

import { activeSpan } from "./ambient.ts";
import { attributionAttributes, cleanAttribution, currentAttribution } from "./attribution.ts";
import { nowMs } from "./begin-call.ts";
import { outcomeKeys, outcomeSpanName } from "./protocol.ts";
import { getRuntime } from "./runtime.ts";
import type { SpanAttributes } from "./span-attributes.ts";

export interface Outcome {
  /** Any number the application counts outcomes in, e.g. tickets solved. */
  readonly value?: number;
  /** 0 to 1. */
  readonly quality?: number;
  /** US dollars. */
  readonly revenue?: number;
}

/** Reports an outcome of the running call chain. Numbers that are not finite are left out. Never throws. */
export function recordOutcome(name: string, outcome: Outcome = {}): void {
  const now = nowMs();
  const attribution = { ...currentAttribution(), ...cleanAttribution({ outcome: name }) };
  const attributes: SpanAttributes = attributionAttributes(attribution);
  const set = (key: string, value: number | undefined) => {
    if (typeof value === "number" && Number.isFinite(value)) attributes[key] = value;
  };
  set(outcomeKeys.value, outcome.value);
  set(outcomeKeys.quality, outcome.quality);
  set(outcomeKeys.revenueUsd, outcome.revenue);
  getRuntime().pipeline?.note({
    name: outcomeSpanName,
    kind: "internal",
    startMs: now,
    endMs: now,
    attributes,
    failed: false,
    parent: activeSpan()?.ids,
    identity: undefined,
  });
}
