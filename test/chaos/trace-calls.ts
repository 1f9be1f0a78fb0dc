/** The calls of the recorded traces, one after the other and then from the start again: real models and real tokens. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

export interface TraceCall {
  readonly model: string;
  /** Includes what was `cached`. */
  readonly input: number;
  readonly cached: number;
  readonly output: number;
}

const directory = fileURLToPath(new URL("../../src/replay/data/", import.meta.url));
const files = [
  "AzureLLMInferenceTrace_conv.csv.gz",
  "AzureLLMInferenceTrace_code.csv.gz",
  "claude_code_requests_dev.csv.gz",
];

/** Each call of it gives the next one, for ever. */
export function traceCalls(): () => TraceCall {
  const calls = files.flatMap(callsOf);
  let at = 0;
  return () => calls[at++ % calls.length] as TraceCall;
}

function callsOf(file: string): readonly TraceCall[] {
  const text = gunzipSync(readFileSync(`${directory}${file}`)).toString();
  const [header = "", ...lines] = text.trim().split(/\r?\n/);
  const columns = header.split(",");
  const azure = columns[0] === "TIMESTAMP";
  return lines.map((line) => {
    const cells = line.split(",");
    const cell = (name: string) => cells[columns.indexOf(name)] ?? "";
    return {
      model: azure ? "gpt-4o" : cell("model"),
      input: Number(azure ? cell("ContextTokens") : cell("in")),
      cached: azure ? 0 : Number(cell("cached")),
      output: Number(azure ? cell("GeneratedTokens") : cell("out")),
    };
  });
}
