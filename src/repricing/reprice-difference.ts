/** What a re-pricing changes, by tenant and model. Sums are BigInts: any number of calls stays exact. */

import type { UsageRecord } from "../model/usage-record.ts";
import type { PriceCorrection } from "./reprice-window.ts";

export interface DifferenceRow {
  readonly tenant: string;
  readonly provider: string;
  readonly model: string;
  /** Calls whose price changes. */
  calls: number;
  unpricedBefore: number;
  unpricedAfter: number;
  /** Nano-dollars of the priced ones among these calls. */
  beforeNanoUsd: bigint;
  afterNanoUsd: bigint;
}

export class RepriceDifference {
  readonly #rows = new Map<string, DifferenceRow>();

  add({ previous, corrected }: PriceCorrection): void {
    const row = this.#row(previous);
    row.calls++;
    row.unpricedBefore += Number(previous.costNanoUsd === null);
    row.unpricedAfter += Number(corrected.costNanoUsd === null);
    row.beforeNanoUsd += BigInt(previous.costNanoUsd ?? 0);
    row.afterNanoUsd += BigInt(corrected.costNanoUsd ?? 0);
  }

  /** The largest change first. */
  rows(): readonly DifferenceRow[] {
    const change = ({ beforeNanoUsd, afterNanoUsd }: DifferenceRow) => {
      const difference = afterNanoUsd - beforeNanoUsd;
      return difference < 0n ? -difference : difference;
    };
    return [...this.#rows.values()].sort((a, b) => Number(change(b) - change(a)) || b.calls - a.calls);
  }

  #row({ tenant, provider, model }: UsageRecord): DifferenceRow {
    const key = JSON.stringify([tenant, provider, model]);
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row = {
      tenant,
      provider,
      model,
      calls: 0,
      unpricedBefore: 0,
      unpricedAfter: 0,
      beforeNanoUsd: 0n,
      afterNanoUsd: 0n,
    };
    this.#rows.set(key, row);
    return row;
  }
}
