/** What the exporters were promised, and what of it the store must show. */

import type { ChaosSpan } from "./chaos-span.ts";

/** One row of the store. */
export interface StoredSpan {
  readonly identity: string;
  readonly costUsd: string;
}

export interface LedgerFaults {
  /** Acknowledged and not stored. */
  readonly lost: number;
  /** Stored more than once, counted by the rows that are too many. */
  readonly doubled: number;
  /** Stored with another cost. */
  readonly wrongCost: number;
  /** Stored and never sent. */
  readonly foreign: number;
  readonly examples: readonly string[];
}

const examplesMax = 5;

export class Ledger {
  readonly #acked = new Map<string, ChaosSpan>();
  readonly #sent = new Map<string, ChaosSpan>();

  /** Sent at least once: may be stored, at most once. */
  sent(spans: readonly ChaosSpan[]): void {
    for (const span of spans) if (!this.#acked.has(span.identity)) this.#sent.set(span.identity, span);
  }

  /** Acknowledged: must be stored, exactly once. */
  acked(spans: readonly ChaosSpan[]): void {
    for (const span of spans) {
      this.#acked.set(span.identity, span);
      this.#sent.delete(span.identity);
    }
  }

  ackedSpans(): number {
    return this.#acked.size;
  }

  /** Compares as a multiset of (tenant, trace, span, cost). */
  faults(stored: readonly StoredSpan[]): LedgerFaults {
    const seen = new Set<string>();
    const examples: string[] = [];
    const counts = { lost: 0, doubled: 0, wrongCost: 0, foreign: 0 };
    const note = (kind: keyof typeof counts, identity: string) => {
      counts[kind]++;
      if (examples.length < examplesMax) examples.push(`${kind}: ${identity}`);
    };
    for (const { identity, costUsd } of stored) {
      const promised = this.#acked.get(identity) ?? this.#sent.get(identity);
      if (promised === undefined) note("foreign", identity);
      else if (seen.has(identity)) note("doubled", identity);
      else if (promised.costUsd !== costUsd) note("wrongCost", `${identity} ${costUsd} not ${promised.costUsd}`);
      seen.add(identity);
    }
    for (const identity of this.#acked.keys()) if (!seen.has(identity)) note("lost", identity);
    return { ...counts, examples };
  }
}
