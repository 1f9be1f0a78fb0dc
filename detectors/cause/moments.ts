/**
 * How unevenly money arrives: the nano-dollars that come or stay away together, so that a sum of them varies as a count of
 * such units does. A user who comes for one hour and brings a dollar makes the unit about a dollar.
 */

/** Sums over some cells or slices of their spend before (x, scaled to the later period's length) and after (y). */
export interface Moments {
  count: number;
  x: number;
  y: number;
  xx: number;
  xy: number;
  yy: number;
}

/** Sums over nothing. */
export function newMoments(): Moments {
  return { count: 0, x: 0, y: 0, xx: 0, xy: 0, yy: 0 };
}

/** Adds a cell or slice; one without any spend is none. */
export function addPoint(sums: Moments, x: number, y: number): void {
  if (x === 0 && y === 0) return;
  sums.count++;
  sums.x += x;
  sums.y += y;
  sums.xx += x * x;
  sums.xy += x * y;
  sums.yy += y * y;
}

/**
 * The unit as it shows in all but a part: the squared deviations from the ratio that all but the part have in common, over
 * what a Poisson count of nano-dollars would vary by. 0 where fewer than three are left.
 */
export function unitWithout(all: Moments, part: Moments, scale: number): number {
  const count = all.count - part.count;
  const x = all.x - part.x;
  const y = all.y - part.y;
  if (count < 3 || x <= 0 || y <= 0) return 0;
  const ratio = y / x;
  const squares = all.yy - part.yy - 2 * ratio * (all.xy - part.xy) + ratio * ratio * (all.xx - part.xx);
  return (Math.max(0, squares) / (y + ratio * ratio * scale * x)) * (count / (count - 1));
}
