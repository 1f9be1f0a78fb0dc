/** What re-pricing a range would change. Reads, and changes nothing. */

import { bundledVersion } from "../pricing/bundled-list.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import type { Store } from "../store/store.ts";
import { type DifferenceRow, RepriceDifference } from "./reprice-difference.ts";
import { checkConditions, type RepriceRange, windowsOf } from "./reprice-range.ts";
import { priceWindow } from "./reprice-window.ts";

export interface Difference {
  readonly rows: readonly DifferenceRow[];
  /** Billed records in the range, changed or not. */
  readonly calls: number;
  readonly priceVersion: string;
}

/** Names the prices in use: equal names, equal prices. */
export function priceVersionOf(prices: PriceBook): string {
  return `${prices.list()?.version ?? "no own list"}, ${bundledVersion}`;
}

/** By tenant and model. @throws UnknownConditionError */
export async function rangeDifference(range: RepriceRange, store: Store, prices: PriceBook): Promise<Difference> {
  checkConditions(range.where);
  const priceVersion = priceVersionOf(prices);
  const difference = new RepriceDifference();
  let calls = 0;
  for (const window of await windowsOf(range, store)) {
    const priced = await priceWindow(window, store, prices);
    calls += priced.calls;
    for (const correction of priced.corrections) difference.add(correction);
  }
  return { rows: difference.rows(), calls, priceVersion };
}
