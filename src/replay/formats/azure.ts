/** Azure's public LLM inference traces of 2023: arrival, input and output tokens, and nothing else. See data/README.md. */

import { basename } from "node:path";
import { type ReplayCall, unknownCall } from "../replay-call.ts";
import { parseRfc3339Us } from "../time.ts";
import { Columns, shown } from "./columns.ts";
import { BadCell, type TraceFormat } from "./trace-format.ts";

const names = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

/**
 * One call a row, each a trace of its own, of no duration since none is published. Provider openai and model gpt-4o are our assumption;
 * the feature is `conv` or `code` where the file's name says so.
 */
export const azure: TraceFormat = {
  name: "azure",
  recognises: (header) => header.length === names.length && names.every((name) => header.includes(name)),
  open(header, fileName) {
    const columns = new Columns(header, { format: "azure", known: names, required: names });
    const feature = /conv|code/.exec(basename(fileName))?.[0] ?? "";
    return {
      dated: true,
      read(fields, row): ReplayCall {
        columns.checkWidth(fields);
        const timestamp = columns.text(fields, "TIMESTAMP");
        const startUs = parseRfc3339Us(`${timestamp}Z`);
        if (startUs === undefined) {
          throw new BadCell("TIMESTAMP", `expected a time like 2023-11-16 18:15:46.6805900, found ${shown(timestamp)}`);
        }
        return {
          ...unknownCall,
          row,
          traceKey: String(row),
          spanKey: String(row),
          startUs,
          endUs: startUs,
          feature,
          provider: "openai",
          model: "gpt-4o",
          responseModel: "gpt-4o",
          inputTokens: columns.requiredCount(fields, "ContextTokens"),
          outputTokens: columns.requiredCount(fields, "GeneratedTokens"),
        };
      },
    };
  },
};
