/** How close the tables are to having too many parts, as the server itself counts: active parts of one partition. */

import { rollup1d, rollup15m } from "./schema.ts";
import type { Store } from "./store.ts";

/** Of the table that is closest. */
export interface PartPressure {
  /** Active parts of its fullest partition, with the inserts of this process since they were counted. */
  readonly parts: number;
  /** From so many on the server delays inserts (`parts_to_delay_insert`). */
  readonly delayAt: number;
  /** From so many on it refuses them (`parts_to_throw_insert`). */
  readonly throwAt: number;
}

const tables = ["usage_records", rollup15m.table, rollup1d.table].map((table) => `'${table}'`).join(", ");
const threshold = (name: string) =>
  `toUInt64OrZero(if(extract(t.engine_full, '${name} = (\\d+)') != '', extract(t.engine_full, '${name} = (\\d+)'),
    (SELECT value FROM system.merge_tree_settings WHERE name = '${name}')))`;

/** Of every table that inserts go to. A threshold of a table goes before the server's. */
const pressureQuery = `SELECT ifNull(p.parts, 0) AS parts,
  ${threshold("parts_to_delay_insert")} AS delay_at, ${threshold("parts_to_throw_insert")} AS throw_at
FROM system.tables AS t
LEFT JOIN (
  SELECT table, max(n) AS parts FROM (
    SELECT table, partition_id, count() AS n FROM system.parts
    WHERE database = currentDatabase() AND table IN (${tables}) AND active GROUP BY table, partition_id
  ) GROUP BY table
) AS p ON p.table = t.name
WHERE t.database = currentDatabase() AND t.name IN (${tables})`;

const askEveryMs = 5000;

/** Asks at most once in five seconds, whoever wants to know, and counts inserts in between. */
export class PressureGauge {
  readonly #query: Store["query"];
  #asked: { readonly atMs: number; readonly answer: Promise<PartPressure> } | undefined;
  #inserts = 0;

  constructor(query: Store["query"]) {
    this.#query = query;
  }

  /** One more part in every table. */
  inserted(): void {
    this.#inserts++;
  }

  /** @throws Error where the server does not answer, for as long as an answer would have been kept. */
  async read(): Promise<PartPressure> {
    if (this.#asked === undefined || performance.now() - this.#asked.atMs >= askEveryMs) {
      this.#inserts = 0;
      this.#asked = { atMs: performance.now(), answer: askPressure(this.#query) };
      this.#asked.answer.catch(() => undefined);
    }
    const { parts, delayAt, throwAt } = await this.#asked.answer;
    return { parts: parts + this.#inserts, delayAt, throwAt };
  }
}

async function askPressure(query: Store["query"]): Promise<PartPressure> {
  const rows = await query<{ parts: string; delay_at: string; throw_at: string }>(pressureQuery);
  // A threshold of 0 is none.
  const limit = (text: string) => (Number(text) === 0 ? Number.MAX_SAFE_INTEGER : Number(text));
  const all = rows.map((row) => ({
    parts: Number(row.parts),
    delayAt: limit(row.delay_at),
    throwAt: limit(row.throw_at),
  }));
  const none: PartPressure = { parts: 0, delayAt: Number.MAX_SAFE_INTEGER, throwAt: Number.MAX_SAFE_INTEGER };
  return all.reduce((worst, one) => (shareAfterNext(one) > shareAfterNext(worst) ? one : worst), none);
}

function shareAfterNext({ parts, delayAt, throwAt }: PartPressure): number {
  return (parts + 1) / Math.min(delayAt, throwAt);
}
