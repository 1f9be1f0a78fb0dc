/** Burnwatch's own CSV of usage: what anybody can export from a bill, a log or a gateway. Columns in any order, missing ones empty. */

import { type ReplayCall, unknownCall } from "../replay-call.ts";
import { parseRfc3339Us } from "../time.ts";
import { Columns, shown } from "./columns.ts";
import { BadCell, type RowReader, type TraceFormat } from "./trace-format.ts";

const known = [
  ..."timestamp trace_id span_id tenant service feature user session agent run".split(" "),
  ..."prompt_name prompt_version provider model input_tokens cache_read_tokens cache_write_tokens".split(" "),
  ..."output_tokens reasoning_tokens duration_ms status finish_reason tool tool_args_hash prompt_hash outcome revenue_usd".split(
    " ",
  ),
];

/** Epoch values below this (March 1973 in milliseconds) are surely seconds. */
const epochMsLeast = 1e11;

/** One call a row; rows with one `trace_id` share a trace. Read last of all formats: its complaint about a header helps anyone. */
export const usage: TraceFormat = {
  name: "usage",
  recognises: () => true,
  open(header): RowReader {
    const columns = new Columns(header, { format: "usage", known, required: [] });
    const dated = columns.has("timestamp");
    return {
      dated,
      read(fields, row) {
        columns.checkWidth(fields);
        const text = (name: string) => columns.text(fields, name);
        const startUs = dated ? readTimestamp(text("timestamp")) : 0;
        const model = text("model");
        return {
          ...unknownCall,
          row,
          traceKey: text("trace_id") === "" ? `row ${row}` : text("trace_id"),
          spanKey: String(row),
          startUs,
          endUs: startUs + (columns.microseconds(fields, "duration_ms", 1000) ?? 0),
          tenant: text("tenant"),
          service: text("service"),
          feature: text("feature"),
          user: text("user"),
          session: text("session"),
          agent: text("agent"),
          run: text("run"),
          promptName: text("prompt_name"),
          promptVersion: text("prompt_version"),
          provider: text("provider"),
          model,
          responseModel: model,
          ...readTokens(columns, fields),
          errorType: readErrorType(text("status")),
          finishReason: text("finish_reason"),
          tool: text("tool"),
          toolArgsHash: text("tool_args_hash"),
          promptHash: readHash(text("prompt_hash")),
          outcome: text("outcome"),
          revenueUsd: readRevenue(text("revenue_usd")),
        };
      },
    };
  },
};

type Tokens = Pick<
  ReplayCall,
  "inputTokens" | "cacheReadTokens" | "cacheWriteTokens" | "outputTokens" | "reasoningTokens"
>;

function readTokens(columns: Columns, fields: readonly string[]): Tokens {
  const inputTokens = columns.count(fields, "input_tokens");
  const cacheReadTokens = columns.count(fields, "cache_read_tokens");
  const cacheWriteTokens = columns.count(fields, "cache_write_tokens");
  const outputTokens = columns.count(fields, "output_tokens");
  const reasoningTokens = columns.count(fields, "reasoning_tokens");
  const cached = (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0);
  if (cached > (inputTokens ?? 0)) {
    throw new BadCell(
      "input_tokens",
      `${inputTokens ?? "empty"} must include the ${cached} tokens read from and written to a cache`,
    );
  }
  if ((reasoningTokens ?? 0) > (outputTokens ?? 0)) {
    throw new BadCell(
      "output_tokens",
      `${outputTokens ?? "empty"} must include the ${reasoningTokens} reasoning tokens`,
    );
  }
  return { inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens, reasoningTokens };
}

function readTimestamp(text: string): number {
  if (text === "") throw new BadCell("timestamp", "is empty");
  if (/^\d{1,15}(\.\d+)?$/.test(text)) {
    if (Number(text) < epochMsLeast) {
      throw new BadCell("timestamp", `expected milliseconds since 1970, found ${text}, which looks like seconds`);
    }
    return Math.round(Number(text) * 1000);
  }
  const us = parseRfc3339Us(text);
  if (us !== undefined) return us;
  throw new BadCell(
    "timestamp",
    `expected RFC 3339 with a zone (2026-01-31T12:00:00Z) or epoch milliseconds, found ${shown(text)}`,
  );
}

/** `status` is empty or ok for a success; anything else is the error's type, and a plain "error" has none: OpenTelemetry's `_OTHER`. */
function readErrorType(status: string): string {
  const lower = status.toLowerCase();
  if (lower === "" || lower === "ok") return "";
  return lower === "error" ? "_OTHER" : status;
}

function readHash(text: string): string {
  if (text === "" || /^[0-9a-f]{16}$/.test(text)) return text;
  throw new BadCell("prompt_hash", `expected 16 hex digits in lower case, found ${shown(text)}`);
}

function readRevenue(text: string): string {
  if (text === "" || /^-?\d+(\.\d{1,9})?$/.test(text)) return text;
  throw new BadCell("revenue_usd", `expected US dollars with at most 9 decimals, found ${shown(text)}`);
}
