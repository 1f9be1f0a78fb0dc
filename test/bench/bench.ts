/** What a bench is: a name, a sentence, and a run that ends in tables. */

export interface BenchOptions {
  /** Repetitions; tables hold medians over them. */
  readonly runs: number;
  /** Spans of one load. */
  readonly spans: number;
  /** Records in the store that is asked. */
  readonly records: number;
  /** How long the resolvers and writers of a cluster stand still before they catch up. */
  readonly stopSeconds: number;
  /** Takes a line that says what is being done. */
  readonly progress: (line: string) => void;
}

export interface Column {
  readonly title: string;
  /** Digits after the point; columns of text have none. */
  readonly digits?: number;
}

export type Cell = string | number | null;

export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  /** Null is shown as a dash: not measured. */
  readonly rows: readonly (readonly Cell[])[];
  /** What must be known to read the numbers. */
  readonly notes: readonly string[];
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  /** Runs only when it is named. */
  readonly onRequest?: boolean;
  run(options: BenchOptions): Promise<readonly Table[]>;
}

/** What one run of a bench leaves behind. */
export interface BenchResult {
  readonly name: string;
  readonly at: string;
  readonly machine: string;
  /** Load average of the last minute before the run: what else was at work. Above 1 the numbers are not this program's alone. */
  readonly loadBefore: number;
  readonly tables: readonly Table[];
}
