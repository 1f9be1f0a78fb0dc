/** Reads a recorded trace into memory: hashed, checked to its last row, sorted by end, its clock set to 0 at the end of its last call. */

import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { CsvParser, type CsvRecord } from "./csv.ts";
import { formats } from "./formats/index.ts";
import { BadCell, type RowReader, type TraceFormat } from "./formats/trace-format.ts";
import type { ReplayCall } from "./replay-call.ts";
import { ReplayError } from "./replay-error.ts";

export interface Trace {
  readonly format: string;
  /** Hex SHA-256 of the file as it lies on the disk. */
  readonly fileHash: string;
  /** In the order of their ends. Times count from the end of the last call (of the last of its trace, where undated): none is above 0. */
  readonly calls: readonly ReplayCall[];
  /** Unix microseconds of time 0; undefined where the file has no dates. */
  readonly zeroUs: number | undefined;
  readonly badRows: number;
  /** The first few broken rows, for a person. */
  readonly badRowNotes: readonly string[];
}

export interface TraceOptions {
  readonly file: string;
  /** Name of a format; by the header where undefined. */
  readonly format?: string | undefined;
  /** Leave broken rows out and count them, rather than refuse the file. */
  readonly skipBad?: boolean;
}

/** A call takes about half a kilobyte; a bound keeps a wrong file from filling the memory. */
const rowsMax = 2_000_000;
const notesMax = 5;

/** @throws ReplayError when the file cannot be read, has a wrong header, or a broken row and `skipBad` is not set. */
export async function readTrace(options: TraceOptions): Promise<Trace> {
  const hash = createHash("sha256");
  const rows = new Rows(options);
  const parser = new CsvParser();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const bytes of unzipped(fileBytes(options.file, hash))) {
      rows.take(parser.push(decoder.decode(bytes, { stream: true })));
    }
    rows.take(parser.push(decoder.decode()));
    rows.take(parser.end());
  } catch (error) {
    throw readingError(options.file, error);
  }
  const { format, dated } = rows.opened(options.file);
  if (rows.calls.length === 0) {
    throw new ReplayError(`${options.file}: there is no call in it`, { hint: rows.notes[0] ?? "it has a header only" });
  }
  const set = dated ? countFromLastEnd(rows.calls) : { calls: countFromTraceEnds(rows.calls), zeroUs: undefined };
  const calls = set.calls.sort((left, right) => left.endUs - right.endUs || left.row - right.row);
  return {
    format,
    fileHash: hash.digest("hex"),
    calls,
    zeroUs: set.zeroUs,
    badRows: rows.bad,
    badRowNotes: rows.notes,
  };
}

/** Collects calls from records: the first record is the header. */
class Rows {
  readonly calls: ReplayCall[] = [];
  readonly notes: string[] = [];
  bad = 0;
  readonly #options: TraceOptions;
  #row = 0;
  #format: TraceFormat | undefined;
  #reader: RowReader | undefined;

  constructor(options: TraceOptions) {
    this.#options = options;
  }

  take(records: readonly CsvRecord[]): void {
    for (const record of records) {
      if (this.#reader === undefined) this.#open(record.fields);
      else this.#read(this.#reader, record);
    }
  }

  opened(file: string): { readonly format: string; readonly dated: boolean } {
    if (this.#format === undefined || this.#reader === undefined) throw new ReplayError(`${file}: the file is empty`);
    return { format: this.#format.name, dated: this.#reader.dated };
  }

  #open(header: readonly string[]): void {
    const wanted = this.#options.format;
    const format = formats.find((each) => (wanted === undefined ? each.recognises(header) : each.name === wanted));
    if (format === undefined) {
      throw new ReplayError(`unknown format "${wanted}"`, {
        hint: `known formats: ${formats.map((each) => each.name).join(", ")}`,
      });
    }
    this.#format = format;
    this.#reader = format.open(header, this.#options.file);
  }

  #read(reader: RowReader, record: CsvRecord): void {
    this.#row++;
    if (this.#row > rowsMax) throw new ReplayError(`more than ${rowsMax} rows`, { hint: "split the file" });
    try {
      if (record.problem !== undefined) throw new BadCell("", record.problem);
      this.calls.push(reader.read(record.fields, this.#row));
    } catch (error) {
      if (!(error instanceof BadCell)) throw error;
      const note = `row ${this.#row} (line ${record.line}): ${error.message}`;
      if (this.#options.skipBad !== true)
        throw new ReplayError(note, { hint: "use --skip-bad to leave broken rows out" });
      this.bad++;
      if (this.notes.length < notesMax) this.notes.push(note);
    }
  }
}

async function* fileBytes(file: string, hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(file)) {
    hash.update(chunk);
    yield chunk;
  }
}

/** Gzip is told by its first two bytes, whatever the file is called. */
async function* unzipped(source: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const first = await source.next();
  if (first.done === true) return;
  async function* all(): AsyncGenerator<Buffer> {
    yield first.value;
    yield* source;
  }
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) return yield* all();
  // An error of either side destroys the stream with it, so that the loop below throws it; the callback has nothing to add.
  yield* pipeline(all(), createGunzip(), () => {});
}

function readingError(file: string, error: unknown): ReplayError {
  if (error instanceof ReplayError)
    return new ReplayError(`${file}: ${error.message}`, error.hint === undefined ? {} : { hint: error.hint });
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT") return new ReplayError(`${file}: there is no such file`, { cause: error });
  if (code === "EISDIR") return new ReplayError(`${file}: this is a directory`, { cause: error });
  if (code === "EACCES") return new ReplayError(`${file}: no permission to read it`, { cause: error });
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") {
    return new ReplayError(`${file}: the text is not UTF-8`, {
      cause: error,
      hint: "convert it: iconv -f latin1 -t utf-8",
    });
  }
  if (code.startsWith("Z_")) return new ReplayError(`${file}: the gzip data is broken or cut off`, { cause: error });
  throw error;
}

function countFromLastEnd(calls: readonly ReplayCall[]): { calls: ReplayCall[]; zeroUs: number } {
  const zeroUs = calls.reduce((last, call) => Math.max(last, call.endUs), Number.NEGATIVE_INFINITY);
  return { calls: calls.map((call) => moved(call, zeroUs)), zeroUs };
}

function countFromTraceEnds(calls: readonly ReplayCall[]): ReplayCall[] {
  const ends = new Map<string, number>();
  for (const { traceKey, endUs } of calls) ends.set(traceKey, Math.max(ends.get(traceKey) ?? 0, endUs));
  return calls.map((call) => moved(call, ends.get(call.traceKey) ?? 0));
}

function moved(call: ReplayCall, byUs: number): ReplayCall {
  return { ...call, startUs: call.startUs - byUs, endUs: call.endUs - byUs };
}
