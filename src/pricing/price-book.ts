/** Which rates hold for a call: a tenant's contract first, then the user's own list, then the list that comes along. */

import { BundledList } from "./bundled-list.ts";
import { OwnList, type PriceList } from "./price-list.ts";
import type { PriceQuestion } from "./price-question.ts";
import type { RateCard } from "./rate-card.ts";

export class PriceBook {
  readonly #bundled = new BundledList();
  #list: PriceList | null = null;
  #own: OwnList | null = null;

  constructor(list: PriceList | null = null) {
    this.use(list);
  }

  /** Takes another list of the user's from now on; null for none. */
  use(list: PriceList | null): void {
    this.#list = list;
    this.#own = list === null ? null : new OwnList(list);
  }

  /** The user's list in use. */
  list(): PriceList | null {
    return this.#list;
  }

  /** The card that holds for a call; null when no list has a price for it. */
  find(question: PriceQuestion): RateCard | null {
    return this.#own?.find(question) ?? this.#bundled.find(question);
  }
}
