/** What stands behind the ClickHouse HTTP interface: one question in, the bytes of one answer out. */

export interface ClickhouseQuestion {
  /** The text of the `query` parameter and of the body, as a server joins them; parameters are not bound yet. */
  readonly sql: string;
  /** Rows for an INSERT in the URL, in the format it names. */
  readonly rows: Uint8Array;
  /** The format of the answer where the statement names none. */
  readonly format: string;
  /** Values of `{name:Type}` parameters, as they stand in the URL. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
  readonly database: string;
  /** GET never changes anything. */
  readonly readOnly: boolean;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export interface ClickhouseAnswer {
  readonly format: string;
  readonly contentType: string;
  readonly timezone: string;
  /** Parameters and settings that were taken and had no effect. */
  readonly ignored: readonly string[];
}

/** Takes an answer: its head once, before the first piece, then its pieces in order, each awaited. */
export interface AnswerSink {
  begin(answer: ClickhouseAnswer): void;
  write(piece: Uint8Array): Promise<void>;
}

export interface ClickhouseEngine {
  /** `26.7.2.1`, for the end of error messages. */
  version(): Promise<string>;
  /** Answers into the sink; rejects where the question has no answer, also after pieces were written. */
  answer(question: ClickhouseQuestion, sink: AnswerSink): Promise<void>;
}
