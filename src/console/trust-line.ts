/** The line that ends each answer: how far its numbers can be trusted. */

import { plainText } from "./table.ts";

export interface Trust {
  /** Share of the numbered records that have arrived, 0 to 1; null where no producer numbers its records. */
  readonly completeness: number | null;
  /** Share of the calls that no price is known for; undefined where the answer is not about cost. */
  readonly unpricedShare?: number | null | undefined;
  readonly lagSeconds: number | null;
  /** What metrics say of spans that did not come. */
  readonly missingSpans?: string | null | undefined;
}

/** For example `99.97 % accounted · 0.4 % unpriced · lag 2 s`. What is missing is never rounded away. */
export function trustLine(trust: Trust): string {
  const { completeness, unpricedShare, lagSeconds } = trust;
  const parts = [completeness === null ? "accounted unknown" : `${percent(completeness, Math.floor)} accounted`];
  if (unpricedShare !== undefined) {
    parts.push(unpricedShare === null ? "unpriced unknown" : `${percent(unpricedShare, Math.ceil)} unpriced`);
  }
  parts.push(lagSeconds === null ? "lag unknown" : `lag ${shownSeconds(lagSeconds)}`);
  if (typeof trust.missingSpans === "string") parts.push(plainText(trust.missingSpans));
  return parts.join(" · ");
}

function percent(share: number, towards: (value: number) => number): string {
  // Six digits first: 0.07 * 10000 is a little more than 700, and must not be rounded up for that.
  return `${towards(Number((share * 10_000).toFixed(6))) / 100} %`;
}

function shownSeconds(seconds: number): string {
  if (seconds >= 7200) return `${Math.round(seconds / 3600)} h`;
  if (seconds >= 120) return `${Math.round(seconds / 60)} min`;
  return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
}
