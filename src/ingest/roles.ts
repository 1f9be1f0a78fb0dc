/**
 * Which spans of a trace repeat others, so that each call is billed once. The answer depends on the set of spans alone,
 * not on the order in which they came: whatever the batches and restarts, the sums end up the same.
 *
 * A span is superseded by
 * 1. any billable span beneath it, where it may wrap one, tells no tokens of its own, or both tell of the same call or of
 *    the same answer of a provider, whatever the tokens: what is beneath stands closer to it;
 * 2. a better span with the same response id of the provider;
 * 3. a better span of the same operation, tokens and model family, written by somebody else, at the same time: two
 *    instrumentations at once. Response ids that differ rule it out.
 * 4. Where a billed span's chain of parents leaves what is known (spans that are no LLM operation are not kept), by that
 *    span, if it may be a wrapper's: within the time of a sum; of the spans of its model around it, one.
 *
 * Better: closer to the provider, then with a response id, then with more told of its tokens, then the lower id.
 */

import { type SeenSpan, spanBits } from "../event-log/usage-log.ts";
import { dropAroundAdrift } from "./around-adrift.ts";
import { isSameCall, isWrapper, overlap } from "./same-call.ts";

/** Parents followed at most; loops end there, too. */
const depthMax = 64;
/** Spans that tell of equal tokens and are compared in pairs. */
const pairsMax = 256;

/** Spans of a trace that are compared each with each. */
const apartMax = 8;
const nothing: ReadonlySet<string> = new Set();

/** The span ids that are not to be billed. Spans that nobody bills are neither superseded nor supersede. */
export function superseded(spans: ReadonlyMap<string, SeenSpan>): ReadonlySet<string> {
  if (spans.size < 2 || areApart(spans)) return nothing;
  const out = new Set<string>();
  const billable = [...spans.values()].filter(({ bits }) => (bits & spanBits.billable) !== 0);
  const adrift: SeenSpan[] = [];
  for (const span of billable) if (climb(span, spans, out)) adrift.push(span);
  // What is superseded supersedes no longer: two spans could otherwise drop each other.
  const left = () => billable.filter(({ spanId }) => !out.has(spanId));
  byGroup(
    left(),
    ({ responseHash }) => responseHash,
    (group) => keepBest(group, out),
  );
  byGroup(
    left(),
    ({ callHash }) => callHash,
    (group) => keepBestOfEmitters(group, out),
  );
  const leaves = adrift.filter((span) => !isWrapper(span));
  dropAroundAdrift(leaves, billable.filter(isWrapper), out);
  return out;
}

/**
 * True where nothing can supersede anything: no wrapper, nobody's parent is known, and no two spans share a response or
 * tell of equal tokens. So are most traces, and it is told without a group or a list being made.
 */
function areApart(spans: ReadonlyMap<string, SeenSpan>): boolean {
  if (spans.size > apartMax) return false;
  for (const span of spans.values()) {
    if (isWrapper(span) || spans.has(span.parentSpanId)) return false;
    for (const other of spans.values()) {
      if (other === span) break;
      if (span.callHash !== 0 && span.callHash === other.callHash) return false;
      if (span.responseHash !== 0 && span.responseHash === other.responseHash) return false;
    }
  }
  return true;
}

/**
 * Marks what the span's ancestors repeat. In a loop of parents each stands above each: the best of them is billed, so that
 * nothing is lost and nothing twice.
 * @returns true where the chain ends at a parent that is not known, or in a loop.
 */
function climb(span: SeenSpan, spans: ReadonlyMap<string, SeenSpan>, out: Set<string>): boolean {
  const repeated: SeenSpan[] = [];
  let adrift = false;
  let { parentSpanId } = span;
  for (let depth = 0; depth < depthMax && parentSpanId !== ""; depth++) {
    const parent = spans.get(parentSpanId);
    adrift = parent === undefined;
    if (parent === undefined) break;
    if (parent === span) {
      // Who called it is as little known as where its parent did not come.
      adrift = true;
      if (bestFirst([span, ...repeated])[0] !== span) return adrift;
      break;
    }
    const sameAnswer = span.responseHash !== 0 && span.responseHash === parent.responseHash;
    const mayWrap = isWrapper(parent) || parent.callHash === 0 || sameAnswer || isSameCall(span, parent);
    if ((parent.bits & spanBits.billable) !== 0 && mayWrap) repeated.push(parent);
    parentSpanId = parent.parentSpanId;
  }
  for (const { spanId } of repeated) out.add(spanId);
  return adrift;
}

function byGroup(
  spans: readonly SeenSpan[],
  hashOf: (span: SeenSpan) => number,
  handle: (group: readonly SeenSpan[]) => void,
): void {
  const groups = new Map<number, SeenSpan[]>();
  for (const span of spans) {
    const hash = hashOf(span);
    if (hash === 0) continue;
    const group = groups.get(hash);
    if (group === undefined) groups.set(hash, [span]);
    else group.push(span);
  }
  for (const group of groups.values()) if (group.length > 1) handle(group);
}

function keepBest(group: readonly SeenSpan[], out: Set<string>): void {
  const [best] = bestFirst(group);
  for (const span of group) if (span !== best) out.add(span.spanId);
}

function keepBestOfEmitters(group: readonly SeenSpan[], out: Set<string>): void {
  const ordered = bestFirst(group).slice(0, pairsMax);
  for (const [index, span] of ordered.entries()) {
    const better = ordered.slice(0, index);
    if (better.some((one) => one.emitterHash !== span.emitterHash && isSameCall(one, span) && overlap(one, span)))
      out.add(span.spanId);
  }
}

function bestFirst(group: readonly SeenSpan[]): readonly SeenSpan[] {
  return group.toSorted((a, b) => b.rank - a.rank || (a.spanId < b.spanId ? -1 : 1));
}
