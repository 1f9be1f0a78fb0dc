/** How much an answer can be trusted, sent with each of them. */
export interface Quality {
  readonly completeness: number | null;
  readonly unpriced_share: number | null;
  readonly lag_seconds: number;
  /** What metrics say of spans that did not come, as one sentence; null where they say nothing. */
  readonly missing_spans: string | null;
}
