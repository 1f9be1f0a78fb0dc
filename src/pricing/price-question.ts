/** What a price is asked for. */
export interface PriceQuestion {
  readonly tenant: string;
  /** As OpenTelemetry names it; "" asks for the model alone. */
  readonly provider: string;
  readonly model: string;
  /** Unix microseconds of the call. */
  readonly startUs: number;
  /** "" where unknown. */
  readonly serviceTier: string;
}
