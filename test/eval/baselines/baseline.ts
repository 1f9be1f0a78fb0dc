/** A peer: it scores every value of a stream against what came before, upward only. The alarm is a score above a threshold. */

export interface Baseline {
  readonly name: string;
  /** The threshold that is usual in the field; null where there is none. */
  readonly usual: number | null;
  /** A fresh scorer. `random` is for methods that sample. */
  start(random: () => number): (value: number) => number;
}
