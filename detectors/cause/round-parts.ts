/**
 * Whole numbers near `parts` that sum to `total` exactly: each part is rounded down, and what is left goes by one to the
 * largest remainders. What floating point lost beyond that (parts that do not sum to the total) goes to the largest part.
 * @param total a safe integer.
 */
export function roundParts(parts: ArrayLike<number>, total: number): number[] {
  const whole = Array.from(parts, (part) => (Number.isFinite(part) ? Math.floor(part) : 0));
  let left = total - whole.reduce((sum, part) => sum + part, 0);
  const order = whole
    .map((part, index) => ({ index, remainder: (parts[index] ?? 0) - part }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (const { index, remainder } of order) {
    if (left <= 0 || !(remainder > 0)) break;
    whole[index] = (whole[index] ?? 0) + 1;
    left--;
  }
  const largest = whole.reduce((best, part, index) => (Math.abs(part) > Math.abs(whole[best] ?? 0) ? index : best), 0);
  if (left !== 0 && whole.length > 0) whole[largest] = (whole[largest] ?? 0) + left;
  return whole;
}
