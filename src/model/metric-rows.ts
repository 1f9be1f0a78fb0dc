/** What is kept of metrics: claims of tokens, beside which spans are held, and readings of the machines models run on. */

/** Tokens that one stream of `gen_ai.client.token.usage` counted in a stretch of time. */
export interface TokenClaim {
  /** Unix microseconds: the claim covers what came after `fromUs` up to and with `toUs`. Equal where it claims nothing. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly service: string;
  readonly instance: string;
  readonly scope: string;
  readonly provider: string;
  readonly model: string;
  readonly operation: string;
  /** `input` or `output`, as the producer spells it. */
  readonly tokenType: string;
  /** 16 hex digits: everything that tells this series from others. */
  readonly series: string;
  /** Unix microseconds at which the stream of a cumulative series began; `fromUs` of a delta. */
  readonly startedUs: number;
  readonly tokens: number;
  readonly calls: number;
  /** The running totals of a cumulative series; 0 for a delta. */
  readonly totalTokens: number;
  readonly totalCalls: number;
  readonly temporality: "delta" | "cumulative";
}

/** One reading of a GPU, a model server or the like. */
export interface ResourcePoint {
  /** Unix microseconds. */
  readonly atUs: number;
  readonly service: string;
  readonly instance: string;
  /** GPU or other part of the instance; "" where the reading is of all of it. */
  readonly device: string;
  readonly model: string;
  /** Further attributes from an allow-list, `name=value` by name, comma-separated. */
  readonly labels: string;
  readonly name: string;
  readonly unit: string;
  readonly kind: "gauge" | "delta" | "cumulative";
  readonly series: string;
  /** Unix microseconds at which a cumulative stream began; 0 where unknown. */
  readonly startedUs: number;
  readonly value: number;
  /** What a counter grew by since the reading before; the value itself of a gauge. */
  readonly increase: number;
}

export interface MetricRows {
  readonly claims: readonly TokenClaim[];
  readonly points: readonly ResourcePoint[];
}
