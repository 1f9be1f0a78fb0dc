/** What turns the rows of one kind of CSV into calls. One file a format, listed in `index.ts`. */

import type { ReplayCall } from "../replay-call.ts";

export interface TraceFormat {
  readonly name: string;
  /** Whether a header can only be this format's; the first format of the list that says so reads the file. */
  recognises(header: readonly string[]): boolean;
  /**
   * Looks at the header, once a file.
   * @throws ReplayError naming a column that is unknown, missing or there twice.
   */
  open(header: readonly string[], fileName: string): RowReader;
}

export interface RowReader {
  /** Whether rows have calendar times; where not, each trace key has a clock of its own that starts at 0. */
  readonly dated: boolean;
  /** The call of a row, pure. Throws BadCell for a broken row. */
  read(fields: readonly string[], row: number): ReplayCall;
}

/** Why a row is broken: thrown by `RowReader.read`, caught where rows are counted. */
export class BadCell extends Error {
  readonly column: string;
  readonly reason: string;

  constructor(column: string, reason: string) {
    super(column === "" ? reason : `${column}: ${reason}`);
    this.column = column;
    this.reason = reason;
  }
}
