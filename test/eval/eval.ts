/** What an evaluation is: a name, a sentence, and a run that ends in tables and plots. */

import type { Table } from "../bench/bench.ts";

export interface EvalOptions {
  /** `quick` for a look, `usual` within a quarter of an hour on two cores for all, `large` for a night. */
  readonly size: "quick" | "usual" | "large";
  /** Told how far it is, between 0 and 1. */
  readonly progress: (share: number, what: string) => void;
}

export interface Plot {
  /** File name without its ending. */
  readonly name: string;
  readonly svg: string;
}

export interface EvalResult {
  readonly tables: readonly Table[];
  readonly plots: readonly Plot[];
}

export interface Evaluation {
  readonly name: string;
  readonly summary: string;
  run(options: EvalOptions): Promise<EvalResult>;
}
