/** How many instances, names and series may be alive, so that a producer of endless new ones costs a known amount. */

import type { MetricPoint } from "./decoded-metrics.ts";
import { instanceOf, seriesOf } from "./metric-rows.ts";

export interface SeriesMax {
  readonly instances: number;
  readonly names: number;
  readonly series: number;
}

export const defaultSeriesMax: SeriesMax = { instances: 1000, names: 500, series: 20_000 };

/** What was not heard of for one to two of these is forgotten. */
const generationMs = 3_600_000;

export class SeriesLimits {
  readonly #max: SeriesMax;
  readonly #known = { instances: new Recent(), names: new Recent(), series: new Recent() };
  #startedAtMs = 0;

  constructor(max: SeriesMax) {
    this.#max = max;
  }

  /** Undefined where the point's series is known or there is room for it, else the limit that is reached. */
  refuses(point: MetricPoint, nowMs: number): string | undefined {
    if (nowMs - this.#startedAtMs >= generationMs) {
      for (const known of Object.values(this.#known)) known.age();
      this.#startedAtMs = nowMs;
    }
    const keys = { instances: instanceOf(point), names: point.name, series: seriesOf(point) };
    for (const kind of ["instances", "names", "series"] as const) {
      if (!this.#known[kind].has(keys[kind]) && this.#known[kind].size() >= this.#max[kind])
        return `more than ${this.#max[kind]} ${kind} of metrics were seen in the last hour; drop some in the exporter or a collector`;
    }
    for (const kind of ["instances", "names", "series"] as const) this.#known[kind].add(keys[kind]);
    return undefined;
  }

  /** Series heard of in the last hour or two. */
  series(): number {
    return this.#known.series.size();
  }
}

/** Keys of this generation and the one before. */
class Recent {
  #before = new Set<string>();
  #now = new Set<string>();

  has(key: string): boolean {
    return this.#now.has(key) || this.#before.has(key);
  }

  add(key: string): void {
    this.#now.add(key);
    this.#before.delete(key);
  }

  size(): number {
    return this.#now.size + this.#before.size;
  }

  age(): void {
    this.#before = this.#now;
    this.#now = new Set();
  }
}
