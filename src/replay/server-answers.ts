/** What a replay asks the server: an interface here, so that the console's HTTP client can answer it. */

export interface ServerAnswers {
  /** Where it listens, for messages. */
  readonly url: string;
  status(): Promise<{ readonly rawRetentionDays: number }>;
  /** Returns when everything acknowledged so far can be queried and has been seen by detection. */
  settle(): Promise<void>;
  /** The records of a set, as the server has them. */
  replay(set: string): Promise<StoredReplay>;
  /** What a producer sent and the server refused. */
  producer(id: string): Promise<{ readonly rejected: number; readonly reasons: Readonly<Record<string, number>> }>;
}

export interface StoredReplay {
  readonly accepted: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Decimal US dollars of the priced calls; null where none is priced. */
  readonly costUsd: string | null;
  readonly unpricedCalls: number;
}
