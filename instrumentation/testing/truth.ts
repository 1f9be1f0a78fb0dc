/** What the fake provider knows of one call: the numbers that every span is held against. */

export interface Truth {
  readonly api: "chat" | "responses" | "embeddings" | "images" | "audio" | "anthropic" | "gemini" | "bedrock";
  readonly id: string;
  readonly model: string;
  readonly status: number;
  readonly streamed: boolean;
  /** All input tokens, cached ones included. */
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  /** All output tokens, reasoning included. */
  readonly output: number;
  readonly reasoning: number;
  /** The body as the provider received it. */
  readonly request: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Usage of the n-th call: every number differs from call to call, so that a mixed-up span cannot pass. */
export function usageOf(
  n: number,
): Pick<Truth, "input" | "cacheRead" | "cacheWrite5m" | "cacheWrite1h" | "output" | "reasoning"> {
  return {
    input: 2000 + 7 * n,
    cacheRead: 1000 + 3 * n,
    cacheWrite5m: 100 + n,
    cacheWrite1h: 50 + n,
    output: 300 + 5 * n,
    reasoning: 190 + n,
  };
}
