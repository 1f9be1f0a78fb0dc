/** Medians and percentiles of what was measured. */

/** The value below which a share of the values lies, by nearest rank; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** The middle value, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** The median of each number over runs that measured the same names; null where no run has it. */
export function mediansOf<Name extends string>(
  runs: readonly Readonly<Record<Name, number | null>>[],
  names: readonly Name[],
): Record<Name, number | null> {
  const medians = names.map((name) => {
    const values = runs.map((run) => run[name]).filter((value) => value !== null);
    return [name, values.length === 0 ? null : median(values)] as const;
  });
  return Object.fromEntries(medians) as Record<Name, number | null>;
}
