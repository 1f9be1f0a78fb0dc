/** A re-pricing as it is kept while it runs, and as it is written down when it is done. */

import { formatUsd } from "../model/money.ts";
import type { RepriceAudit } from "../store/reprices.ts";
import type { RepriceRange } from "./reprice-range.ts";

/** Amounts in nano-dollars as decimals. */
export interface RepriceJob extends RepriceRange {
  readonly id: string;
  readonly by: string;
  readonly startedAtMs: number;
  /** Null while it runs. */
  readonly finishedAtMs: number | null;
  readonly priceVersion: string;
  /** Everything before is corrected. */
  readonly cursorUs: number;
  readonly calls: number;
  readonly beforeNanoUsd: string;
  readonly afterNanoUsd: string;
}

/** Who asks for it, by which prices. */
export interface RepriceAsked {
  readonly id: string;
  readonly by: string;
  readonly priceVersion: string;
  readonly startedAtMs: number;
}

/** Another re-pricing runs, or the prices are not those that the difference was shown for. */
export class RepriceConflictError extends Error {
  override readonly name = "RepriceConflictError";
}

/** Before anything is corrected. */
export function newJob({ sinceUs, untilUs, where }: RepriceRange, asked: RepriceAsked): RepriceJob {
  const nothing = { finishedAtMs: null, calls: 0, beforeNanoUsd: "0", afterNanoUsd: "0" };
  return { sinceUs, untilUs, where, ...asked, ...nothing, cursorUs: sinceUs };
}

/** The row of one that is finished. */
export function auditOf(job: RepriceJob): RepriceAudit {
  return {
    id: job.id,
    startedAtUs: job.startedAtMs * 1000,
    finishedAtUs: (job.finishedAtMs ?? 0) * 1000,
    by: job.by,
    sinceUs: job.sinceUs,
    untilUs: job.untilUs,
    filter: Object.entries(job.where)
      .map(([name, value]) => `${name}=${value}`)
      .join(" "),
    priceVersion: job.priceVersion,
    calls: job.calls,
    costBeforeUsd: formatUsd(BigInt(job.beforeNanoUsd)),
    costAfterUsd: formatUsd(BigInt(job.afterNanoUsd)),
  };
}
