/** One family of attribute conventions: which spans it speaks for, and what they say. Pure. */

import type { NanoUsd } from "../model/money.ts";
import type { AttributeValue, Span } from "../model/span.ts";
import type { Usage } from "../model/usage.ts";
import type { Attribution, Operation } from "../model/usage-record.ts";

/** What a span says of one operation, before role and price. */
export interface Reading {
  readonly operation: Operation;
  readonly attribution: Attribution;
  readonly provider: string;
  readonly model: string;
  readonly requestModel: string;
  readonly responseId: string;
  readonly finishReason: string;
  /** How the provider served the call (`batch`, `flex`, `priority`, `default`); "" where unknown. It changes the price. */
  readonly serviceTier: string;
  readonly errorType: string;
  readonly tool: string;
  readonly toolArgsHash: string;
  readonly outcome: string;
  /** Null when the span reports no tokens at all. */
  readonly usage: Usage | null;
  readonly reportedNanoUsd: NanoUsd | null;
  readonly flags: readonly string[];
}

/** A span with what it says, written down for the suite that runs over all dialects. */
export interface DialectExample {
  readonly name: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly expected: Partial<Omit<Reading, "usage" | "attribution">> & {
    readonly usage?: Partial<Usage> | null;
    readonly attribution?: Partial<Attribution>;
  };
}

export interface Dialect {
  readonly name: string;
  /** Exact attribute keys this dialect reads; with the prefixes, the allow-list of what is kept of a span. */
  readonly keys: readonly string[];
  /** Prefixes of numeric families, e.g. `gen_ai.usage.`. */
  readonly keyPrefixes: readonly string[];
  /** True when this dialect reads the span. The first match in the list wins. */
  matches(span: Span): boolean;
  /** Whether `read` gives a reading of a span that matches; cheap, since it is asked for every span on arrival. */
  keeps(span: Span): boolean;
  /** What the span says, or null when it is no operation that is kept. Never throws on any attribute value. */
  read(span: Span): Reading | null;
  readonly examples: readonly DialectExample[];
}
