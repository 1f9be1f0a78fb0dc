/** From which spans of a trace repeat others to what must be billed, taken back, or waited for. */

import { type SeenSpan, type SeenTrace, spanBits } from "../event-log/usage-log.ts";
import { superseded } from "./roles.ts";

export interface RoleChanges {
  /** Spans whose records are to be added. */
  readonly bill: readonly SeenSpan[];
  /** Spans whose records are to be taken back: what repeats them came later. */
  readonly takeBack: readonly SeenSpan[];
  /** Spans whose bits changed, these and others, but for those that arrived: their arrival is a change already. */
  readonly changed: readonly SeenSpan[];
  /** True while a wrapper of this trace waits for it to be quiet. */
  readonly holds: boolean;
}

/** Most traces change in one span: a list that grows from nothing has room for 17. */
const none: SeenSpan[] = [];
function withOne(list: SeenSpan[], span: SeenSpan): SeenSpan[] {
  if (list === none) return [span];
  list.push(span);
  return list;
}

/**
 * Compares what was billed with what should be, and changes the bits of the spans. A span of a provider is billed when it
 * arrives or never; a wrapper once its trace is quiet.
 */
export function decideRoles(trace: SeenTrace, { quiet }: { readonly quiet: boolean }): RoleChanges {
  const out = superseded(trace.spans);
  let bill = none;
  let takeBack = none;
  let changed = none;
  let holds = false;
  for (const span of trace.spans.values()) {
    const before = span.bits;
    span.bits &= ~spanBits.arriving;
    const repeats = out.has(span.spanId);
    if ((before & spanBits.billed) !== 0) {
      if (!repeats) continue;
      span.bits &= ~spanBits.billed;
      takeBack = withOne(takeBack, span);
    } else if (repeats) span.bits &= ~spanBits.held;
    else if ((before & spanBits.wrapper) !== 0 && !quiet) {
      span.bits |= spanBits.held;
      holds = true;
    } else if ((before & spanBits.wrapper) !== 0 || (before & spanBits.arriving) !== 0) {
      span.bits = (span.bits & ~spanBits.held) | spanBits.billed;
      bill = withOne(bill, span);
    }
    if (span.bits !== before && (before & spanBits.arriving) === 0) changed = withOne(changed, span);
  }
  return { bill, takeBack, changed, holds };
}
