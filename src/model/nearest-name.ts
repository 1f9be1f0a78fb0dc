/** The name somebody probably meant: for error messages about unknown options, columns and keys. */

/**
 * The candidate nearest to `name` by edits (insert, delete, replace, swap of neighbours), ignoring case; undefined when none is near
 * enough to be meant. The first of equals wins. Meant for short lists of short names.
 * @example nearestName("feture", ["tenant", "feature"]) // "feature"
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  const editsMax = Math.max(1, Math.floor(wanted.length / 3));
  let nearest: string | undefined;
  let editsLeast = editsMax + 1;
  for (const candidate of candidates) {
    const edits = editDistance(wanted, candidate.toLowerCase());
    if (edits < editsLeast) {
      nearest = candidate;
      editsLeast = edits;
    }
  }
  return nearest;
}

/** Optimal string alignment distance: Levenshtein plus swaps of neighbouring characters. */
function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const replaced = (last[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      let edits = Math.min(replaced, (last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (row > 1 && column > 1 && swapped) edits = Math.min(edits, (beforeLast[column - 2] ?? 0) + 1);
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return last[right.length] ?? 0;
}
