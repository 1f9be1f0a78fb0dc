/** `burnwatch score`: an anomaly score for each value of any series, as it comes. */

import { createReadStream } from "node:fs";
import { newScore, type ScoreState, scoreValue } from "../../detectors/anomaly-score.ts";
import { CsvParser, type CsvRecord } from "../replay/csv.ts";
import { ReplayError } from "../replay/replay-error.ts";
import { defineCommand, type Output, UsageError } from "./command.ts";

/** One line out for each line in, before the next one is read: nothing is known of what comes later. */
export const score = defineCommand({
  name: "score",
  positional: "FILE.csv",
  summary: "Score how anomalous each value of a timestamp,value CSV is, from 0 to 1, from the values before it alone.",
  about: [
    "Prints timestamp,anomaly_score. The score is calibrated by the series itself: while nothing changes, about one value in a",
    "hundred scores above 0.99. The first 50 values score 0. FILE - is the standard input.",
  ].join("\n"),
  options: {
    "skip-bad": { type: "boolean", help: "score lines whose value is no number 0 instead of refusing the file" },
  },
  examples: ["burnwatch score tokens-per-minute.csv > scores.csv", "burnwatch score - < metric.csv"],
  async run({ values, positionals }, io) {
    const [file] = positionals;
    if (file === undefined) throw new UsageError("name a CSV file, or - for the standard input");
    const scorer = new Scorer(file, values["skip-bad"] === true, io.stdout);
    const parser = new CsvParser();
    const decoder = new TextDecoder();
    try {
      const source = file === "-" ? io.stdin : createReadStream(file);
      for await (const chunk of source) {
        const text = typeof chunk === "string" ? chunk : decoder.decode(chunk as Uint8Array, { stream: true });
        scorer.take(parser.push(text));
      }
      scorer.take(parser.push(decoder.decode()));
      scorer.take(parser.end());
    } catch (error) {
      if (error instanceof Error && "code" in error) throw new ReplayError(`${file}: cannot be read: ${error.message}`);
      throw error;
    }
    if (!scorer.begun) throw new ReplayError(`${file}: it is empty`, { hint: "the first line is timestamp,value" });
    return 0;
  },
});

class Scorer {
  readonly #state: ScoreState = newScore();
  readonly #file: string;
  readonly #skipBad: boolean;
  readonly #stdout: Output;
  #columns: { readonly timestamp: number; readonly value: number } | undefined;

  constructor(file: string, skipBad: boolean, stdout: Output) {
    this.#file = file;
    this.#skipBad = skipBad;
    this.#stdout = stdout;
  }

  get begun(): boolean {
    return this.#columns !== undefined;
  }

  take(records: readonly CsvRecord[]): void {
    const lines: string[] = [];
    for (const record of records) {
      if (this.#columns === undefined) {
        this.#columns = columnsOf(record, this.#file);
        lines.push("timestamp,anomaly_score\n");
        continue;
      }
      const timestamp = record.fields[this.#columns.timestamp] ?? "";
      const value = this.#number(record, record.fields[this.#columns.value] ?? "");
      const scored = scoreValue(this.#state, value, timeOf(timestamp));
      lines.push(`${quoted(timestamp)},${Number(scored.toFixed(6))}\n`);
    }
    if (lines.length > 0) this.#stdout.write(lines.join(""));
  }

  #number({ line, problem }: CsvRecord, text: string): number {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (problem === undefined && Number.isFinite(value)) return value;
    if (this.#skipBad) return Number.NaN;
    throw new ReplayError(`${this.#file}: line ${line}: ${problem ?? `value: expected a number, found "${text}"`}`, {
      hint: "use --skip-bad to score such lines 0",
    });
  }
}

function columnsOf({ fields }: CsvRecord, file: string): { timestamp: number; value: number } {
  const names = fields.map((field) => field.trim().toLowerCase());
  const [timestamp, value] = [names.indexOf("timestamp"), names.indexOf("value")];
  if (timestamp !== -1 && value !== -1) return { timestamp, value };
  throw new ReplayError(`${file}: line 1: expected the columns timestamp,value, found ${names.join(",")}`);
}

/** RFC 3339, `2014-04-01 00:00:00` (taken as UTC), or epoch seconds or milliseconds; NaN for anything else. */
function timeOf(text: string): number {
  if (/^\d{9,11}(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^\d{12,14}$/.test(text)) return Number(text);
  const spaced = /^\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text);
  return Date.parse(spaced ? `${text.replace(" ", "T")}Z` : text);
}

function quoted(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
