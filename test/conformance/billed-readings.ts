/**
 * Which readings of one trace are billed, written down as simply as the rule allows: the reference for conformance, with
 * the whole trace at hand and no regard to the order of arrival.
 */

import type { Reading } from "../../src/dialects/dialect.ts";
import type { Span } from "../../src/model/span.ts";

export interface ReadSpan {
  readonly span: Span;
  readonly reading: Reading;
}

const unbilled: ReadonlySet<string> = new Set(["execute_tool", "retrieval"]);

/** Provider-level spans without another beneath them, then wrappers around or beside which no such call was seen. */
export function billedReadings(trace: readonly ReadSpan[], spans: readonly Span[]): readonly ReadSpan[] {
  const parents = new Map(spans.map(({ spanId, parentSpanId }) => [spanId, parentSpanId]));
  const isWithin = (inner: Span, outer: Span) => {
    let at: string | undefined = inner.parentSpanId;
    for (let steps = 0; at !== undefined && at !== "" && steps < 100; steps++) {
      if (at === outer.spanId) return true;
      at = parents.get(at);
    }
    return false;
  };
  const calls = trace.filter(({ reading }) => !unbilled.has(reading.operation));
  const leaves = calls.filter(({ reading }) => reading.level === "provider");
  const billed = leaves.filter(({ span }) => !leaves.some((other) => isWithin(other.span, span)));
  // The innermost first: around a wrapper that was billed, none is billed again.
  const wrappers = calls
    .filter(({ reading }) => reading.level === "wrapper")
    .sort((a, b) => Number(isWithin(b.span, a.span)) - Number(isWithin(a.span, b.span)));
  for (const wrapper of wrappers) {
    if (!billed.some((other) => isWithin(other.span, wrapper.span) || isTwin(other, wrapper))) billed.push(wrapper);
  }
  return billed;
}

function isTwin(one: ReadSpan, other: ReadSpan): boolean {
  const { reading: a, span: x } = one;
  const { reading: b, span: y } = other;
  if (a.responseId !== "" && a.responseId === b.responseId) return true;
  const sameTokens = a.usage !== null && JSON.stringify(a.usage) === JSON.stringify(b.usage);
  // One may name the model that was asked for and the other the one that answered: `gpt-4o`, `gpt-4o-2024-08-06`.
  const sameModel = a.model.startsWith(b.model) || b.model.startsWith(a.model);
  return sameTokens && sameModel && a.level !== b.level && x.startUs < y.endUs && y.startUs < x.endUs;
}
