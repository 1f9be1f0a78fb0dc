/** One recorded call as a replay sends it: what the trace says, and nothing that it does not say. */

/** Texts are "" and counts undefined where the trace has none: an attribute that is not there is not sent. */
export interface ReplayCall {
  /** Row of the file from 1, header and blank lines excluded; the row it was made from for an injected call. */
  readonly row: number;
  /** Calls with one key share a trace. */
  readonly traceKey: string;
  /** Unique within a replay: the row, or the row or incident with a suffix for an injected call. */
  readonly spanKey: string;
  /** Microseconds, counted as its file counts; a loaded trace counts from the end of its last call. */
  readonly startUs: number;
  readonly endUs: number;
  readonly tenant: string;
  readonly service: string;
  readonly feature: string;
  readonly user: string;
  readonly session: string;
  readonly agent: string;
  readonly run: string;
  readonly promptName: string;
  readonly promptVersion: string;
  readonly provider: string;
  /** The model asked for. */
  readonly model: string;
  /** The model that answered; differs from `model` only in an injected fallback. */
  readonly responseModel: string;
  /** All input tokens, cached ones included. */
  readonly inputTokens: number | undefined;
  readonly cacheReadTokens: number | undefined;
  readonly cacheWriteTokens: number | undefined;
  /** All output tokens, reasoning included. */
  readonly outputTokens: number | undefined;
  readonly reasoningTokens: number | undefined;
  /** "" for a call that went well, else OpenTelemetry's `error.type`. */
  readonly errorType: string;
  readonly finishReason: string;
  readonly tool: string;
  readonly toolArgsHash: string;
  /** 16 hex digits. */
  readonly promptHash: string;
  readonly outcome: string;
  /** Decimal US dollars. */
  readonly revenueUsd: string;
}

/** A call of which nothing is known: formats fill in what their rows say. */
export const unknownCall: Omit<ReplayCall, "row" | "traceKey" | "spanKey"> = {
  startUs: 0,
  endUs: 0,
  tenant: "",
  service: "",
  feature: "",
  user: "",
  session: "",
  agent: "",
  run: "",
  promptName: "",
  promptVersion: "",
  provider: "",
  model: "",
  responseModel: "",
  inputTokens: undefined,
  cacheReadTokens: undefined,
  cacheWriteTokens: undefined,
  outputTokens: undefined,
  reasoningTokens: undefined,
  errorType: "",
  finishReason: "",
  tool: "",
  toolArgsHash: "",
  promptHash: "",
  outcome: "",
  revenueUsd: "",
};
