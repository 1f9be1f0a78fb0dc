/** Requests of recorded Claude Code sessions, without calendar time. See data/README.md for the columns. */

import { type ReplayCall, unknownCall } from "../replay-call.ts";
import { Columns } from "./columns.ts";
import { BadCell, type TraceFormat } from "./trace-format.ts";

const required = ["trace", "t", "model", "in", "out"];
const known = [
  ...required,
  "agent",
  "seq",
  "stream",
  "cached",
  "think_s",
  "api_s",
  "ttft_s",
  "stop",
  "in_types",
  "out_types",
];

/** One call a row; a session is a run and one trace. A row without server time has no duration. */
export const claudeCode: TraceFormat = {
  name: "claude-code",
  recognises: (header) =>
    required.every((name) => header.includes(name)) && header.every((name) => known.includes(name)),
  open(header) {
    const columns = new Columns(header, { format: "claude-code", known, required });
    return {
      dated: false,
      read(fields, row): ReplayCall {
        columns.checkWidth(fields);
        const session = columns.text(fields, "trace");
        if (session === "") throw new BadCell("trace", "is empty");
        const startUs = columns.microseconds(fields, "t", 1e6);
        if (startUs === undefined) throw new BadCell("t", "is empty");
        const inputTokens = columns.requiredCount(fields, "in");
        const cacheReadTokens = columns.count(fields, "cached");
        if ((cacheReadTokens ?? 0) > inputTokens) {
          throw new BadCell("cached", `${cacheReadTokens} is more than in, ${inputTokens}, which includes it`);
        }
        const model = columns.text(fields, "model");
        return {
          ...unknownCall,
          row,
          traceKey: session,
          spanKey: String(row),
          startUs,
          endUs: startUs + (columns.microseconds(fields, "api_s", 1e6) ?? 0),
          feature: "claude-code",
          agent: columns.text(fields, "agent"),
          run: session,
          provider: "anthropic",
          model,
          responseModel: model,
          inputTokens,
          cacheReadTokens,
          outputTokens: columns.requiredCount(fields, "out"),
          finishReason: columns.text(fields, "stop"),
        };
      },
    };
  },
};
