/** CSV as RFC 4180 has it, fed in pieces: quoted fields may hold commas, line ends and doubled quotes; lines end with LF or CRLF. */

import { ReplayError } from "./replay-error.ts";

export interface CsvRecord {
  readonly fields: readonly string[];
  /** Line of the file on which the record begins, from 1. */
  readonly line: number;
  /** Why the record is no CSV; its fields are then not to be trusted, while the following records are. */
  readonly problem: string | undefined;
}

/** A quote that is never closed would swallow the rest of the file into one field; this bounds it. */
const fieldCharactersMax = 1 << 20;
const fieldsMax = 10_000;

const comma = 0x2c;
const quote = 0x22;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

type State = "field start" | "plain" | "quoted" | "quote seen";

/** Parser of one file: `push` each piece of text in order, then `end`. Blank lines are passed over. */
export class CsvParser {
  #state: State = "field start";
  #fields: string[] = [];
  #field = "";
  #problem: string | undefined;
  #line = 1;
  #recordLine = 1;
  #records: CsvRecord[] = [];

  /** The records that this piece completes. */
  push(text: string): readonly CsvRecord[] {
    this.#records = [];
    let start = 0;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (this.#state === "field start") {
        start = index;
        this.#state = code === quote ? "quoted" : "plain";
        if (code === quote) {
          start = index + 1;
          continue;
        }
      }
      if (this.#state === "quoted") {
        if (code === lineFeed) this.#line++;
        if (code !== quote) continue;
        this.#field += text.slice(start, index);
        this.#state = "quote seen";
      } else if (this.#state === "quote seen" && code === quote) {
        this.#state = "quoted";
        start = index; // The second quote of a pair stands for itself.
      } else if (code === comma || code === lineFeed) {
        if (this.#state === "plain") this.#field += text.slice(start, index);
        this.#endField(code === lineFeed);
        if (code === lineFeed) this.#endRecord();
      } else if (this.#state === "quote seen") {
        if (code === carriageReturn) continue;
        this.#problem ??= "text follows the closing quote of a field";
        this.#state = "plain"; // So that a further quote cannot swallow the next lines.
        start = index;
      } else if (code === quote) {
        this.#problem ??= "a quote stands inside a field that does not begin with one";
      }
    }
    if (this.#state === "plain" || this.#state === "quoted") this.#field += text.slice(start);
    this.#checkSize();
    return this.#records;
  }

  /**
   * The last record, where the file does not end with a line end.
   * @throws ReplayError when a quoted field is still open.
   */
  end(): readonly CsvRecord[] {
    this.#records = [];
    if (this.#state === "quoted") {
      throw new ReplayError(`the record that begins on line ${this.#recordLine} opens a quote that is never closed`);
    }
    if (this.#state !== "field start" || this.#fields.length > 0) {
      this.#endField(true);
      this.#endRecord();
    }
    return this.#records;
  }

  #endField(lastOfLine: boolean): void {
    const plain = this.#state === "plain";
    this.#fields.push(plain && lastOfLine && this.#field.endsWith("\r") ? this.#field.slice(0, -1) : this.#field);
    this.#checkSize();
    this.#field = "";
    this.#state = "field start";
  }

  #endRecord(): void {
    const blank = this.#fields.length === 1 && this.#fields[0] === "";
    if (!blank || this.#problem !== undefined) {
      this.#records.push({ fields: this.#fields, line: this.#recordLine, problem: this.#problem });
    }
    this.#fields = [];
    this.#problem = undefined;
    this.#line++;
    this.#recordLine = this.#line;
  }

  #checkSize(): void {
    if (this.#field.length > fieldCharactersMax) {
      throw new ReplayError(
        `a field of the record that begins on line ${this.#recordLine} is longer than ${fieldCharactersMax} characters`,
        { hint: "look there for a quote that is not closed" },
      );
    }
    if (this.#fields.length > fieldsMax) {
      throw new ReplayError(`the record that begins on line ${this.#recordLine} has more than ${fieldsMax} fields`);
    }
  }
}
