/** Which table answers for which part of a time range: days for the middle, 15-minute slots around it, records at the edges. */

export interface TimeSegment {
  readonly source: Source;
  /** Unix milliseconds, from inclusive to exclusive. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** The coarsest table that may be asked: rollups lack some dimensions, and days have no hours. */
export type Source = "records" | "slots" | "days";

const slotMs = 900_000;
const dayMs = 86_400_000;

/**
 * The range cut into disjoint segments without a gap, each whole in its table. Under `slotsMin` whole slots the records
 * alone answer: a second source costs more than it saves.
 */
export function timeSegments(range: { fromMs: number; toMs: number }, coarsest: Source, slotsMin = 8): TimeSegment[] {
  const { fromMs, toMs } = range;
  // An empty range is still asked for, so that its total is 0 and not missing.
  if (toMs <= fromMs) return [{ source: "records", fromMs, toMs: fromMs }];
  if (coarsest === "records") return [{ source: "records", fromMs, toMs }];
  const slots = whole(range, slotMs);
  if (slots.toMs - slots.fromMs < slotsMin * slotMs) return [{ source: "records", fromMs, toMs }];
  const days = coarsest === "days" ? whole(slots, dayMs) : { fromMs: slots.toMs, toMs: slots.toMs };
  const middle = days.toMs > days.fromMs ? days : { fromMs: slots.toMs, toMs: slots.toMs };
  const segments: TimeSegment[] = [
    { source: "records", fromMs, toMs: slots.fromMs },
    { source: "slots", fromMs: slots.fromMs, toMs: middle.fromMs },
    { source: "days", ...middle },
    { source: "slots", fromMs: middle.toMs, toMs: slots.toMs },
    { source: "records", fromMs: slots.toMs, toMs },
  ];
  return segments.filter((segment) => segment.toMs > segment.fromMs);
}

/** The whole units inside a range; empty, or negative, where there is none. */
function whole({ fromMs, toMs }: { fromMs: number; toMs: number }, unitMs: number) {
  return { fromMs: Math.ceil(fromMs / unitMs) * unitMs, toMs: Math.floor(toMs / unitMs) * unitMs };
}
