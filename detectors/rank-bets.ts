/**
 * A portfolio of bets against uniform ranks, run as a Shiryaev-Roberts e-detector.
 *
 * Each bet pays e with mean <= 1 as long as ranks are uniform, or no higher than a margin allows; `W <- (W + 1) e`; the
 * evidence is the mean of all W. Then the expected number of false alarms in N observations is at most N / A, for alarms
 * at evidence A, non-asymptotically and for any distribution of values (Shin, Ramdas and Rinaldo, "E-detectors", 2024).
 * A weighted sum of e-detectors is one, so that many bets cost no correction.
 */

import { type Block, type CellStore, newBlock } from "./cells.ts";

/** Bets that ranks have risen, by share of the stake; small ones for small shifts. */
const rankStakes = [0.1, 0.25, 0.5, 0.8] as const;
/** Bets that more than a share of the values lies in the upper tail of that share, by how many times as much. */
const tails = [
  { share: 0.1, times: 1.5 },
  { share: 0.1, times: 2.5 },
  { share: 0.1, times: 5 },
  { share: 0.02, times: 3 },
  { share: 0.02, times: 8 },
  { share: 0.005, times: 8 },
] as const;

const betCount = rankStakes.length + tails.length;
const rankBets = rankStakes.length;
/** The tail bet never stakes so much that a miss ruins it. */
const tailOddsMax = 0.95;

/** Evidence stays finite, however long nobody acts upon it. */
const wealthMax = 1e30;

/** What each bet forgives, and what each tail bet pays for a hit and for a miss under it. */
export interface Odds {
  /** Mean of 2 rank - 1 that is forgiven; 0 for the plain theorem. */
  readonly margin: number;
  readonly hit: Float64Array;
  readonly miss: Float64Array;
}

export const marginMax = 0.4;
const marginStep = 0.01;
/** How much more of the tail is forgiven for a forgiven shift of the mean rank: a margin of 0.05 forgives 1.5 times the tail. */
const tailPerMargin = 10;

/** Odds for margins from 0 in hundredths, reckoned once. */
const table: readonly Odds[] = Array.from({ length: Math.round(marginMax / marginStep) + 1 }, (_, index) =>
  reckonOdds(index * marginStep),
);

/** The odds that forgive at least this margin. */
export function oddsFor(margin: number): Odds {
  const index = Math.min(table.length - 1, Math.ceil(margin / marginStep - 1e-9));
  return table[index] ?? reckonOdds(margin);
}

function reckonOdds(margin: number): Odds {
  const hit = new Float64Array(tails.length);
  const miss = new Float64Array(tails.length);
  for (const [index, { share, times }] of tails.entries()) {
    const forgiven = share * (1 + tailPerMargin * margin);
    const factor = Math.max(1, Math.min(times, tailOddsMax / forgiven));
    hit[index] = factor;
    miss[index] = (1 - factor * forgiven) / (1 - forgiven);
  }
  return { margin, hit, miss };
}

/** Takes one rank into `wealth`: the W of each bet, then what this step paid on average. @returns the evidence. */
export function bet({ cells, at }: Block, rank: number, odds: Odds): number {
  const centred = (2 * rank - 1 - odds.margin) / (1 + odds.margin);
  let [evidence, paid] = [0, 0];
  for (let i = 0; i < rankBets; i++) {
    const e = 1 + (rankStakes[i] ?? 0) * centred;
    const w = Math.min(wealthMax, ((cells[at + i] ?? 0) + 1) * e);
    cells[at + i] = w;
    evidence += w;
    paid += e;
  }
  const high = rank > 0.9;
  const higher = rank > 0.98;
  const highest = rank > 0.995;
  for (let i = rankBets; i < betCount; i++) {
    const tail = i - rankBets;
    const e = ((tail < 3 ? high : tail < 5 ? higher : highest) ? odds.hit[tail] : odds.miss[tail]) ?? 1;
    const w = Math.min(wealthMax, ((cells[at + i] ?? 0) + 1) * e);
    cells[at + i] = w;
    evidence += w;
    paid += e;
  }
  cells[at + betCount] = paid / betCount;
  return evidence / betCount;
}

/** What the last step paid on average over the bets: the CUSUM of it dates the change. */
export function lastPaid({ cells, at }: Block): number {
  return cells[at + betCount] ?? 1;
}

/** Nothing won yet. */
export function newWealth(store: CellStore | null = null): Block {
  return newBlock(store, betCount + 1);
}
