/** The audit of re-pricing: one row for each range of history whose prices were corrected. */

/** Kept for ever: it says why sums of the past have changed. Any number of rows of one id are equal. */
export const createReprices = `CREATE TABLE IF NOT EXISTS reprices (
  id String, started_at DateTime64(3, 'UTC'), finished_at DateTime64(3, 'UTC'), by String,
  since DateTime64(6, 'UTC'), until DateTime64(6, 'UTC'), filter String, price_version String,
  calls UInt64, cost_before_usd Decimal(38, 9), cost_after_usd Decimal(38, 9)
) ENGINE = ReplacingMergeTree ORDER BY id SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;

/** A finished re-pricing. Times in Unix microseconds, dollars as decimals. */
export interface RepriceAudit {
  readonly id: string;
  readonly startedAtUs: number;
  readonly finishedAtUs: number;
  readonly by: string;
  readonly sinceUs: number;
  readonly untilUs: number;
  /** The conditions as they were given. */
  readonly filter: string;
  readonly priceVersion: string;
  /** Calls whose price was corrected. */
  readonly calls: number;
  readonly costBeforeUsd: string;
  readonly costAfterUsd: string;
}

/** The statement that writes the row, once: repeating it changes nothing. */
export function insertReprice(audit: RepriceAudit): string {
  const text = (value: string) => `'${value.replace(/[\\']/g, "\\$&")}'`;
  const values = [
    `${text(audit.id)} AS id`,
    `fromUnixTimestamp64Milli(${Math.floor(audit.startedAtUs / 1000)}, 'UTC')`,
    `fromUnixTimestamp64Milli(${Math.floor(audit.finishedAtUs / 1000)}, 'UTC')`,
    text(audit.by),
    `fromUnixTimestamp64Micro(${audit.sinceUs}, 'UTC')`,
    `fromUnixTimestamp64Micro(${audit.untilUs}, 'UTC')`,
    text(audit.filter),
    text(audit.priceVersion),
    String(audit.calls),
    `toDecimal128('${audit.costBeforeUsd}', 9)`,
    `toDecimal128('${audit.costAfterUsd}', 9)`,
  ];
  return `INSERT INTO reprices SETTINGS async_insert = 0 SELECT ${values.join(", ")}
WHERE ${text(audit.id)} NOT IN (SELECT id FROM reprices)`;
}
