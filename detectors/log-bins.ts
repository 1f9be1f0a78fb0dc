/** Logarithmic bins, eight an octave: a value is known to 9 % over nine orders of magnitude. Values below 8 have a bin each. */

/** Values from here on share the last bin. */
export const valueMax = 2 ** 31 - 1;
export const binsMax = 232;

const binsPerOctave = 8;
const exactBelow = 8;

/** The bin of a non-negative value; what is not a number counts as 0. Fractions are cut off. */
export function binOf(value: number): number {
  // `>` is false for NaN too.
  if (!(value > 0)) return 0;
  const whole = value >= valueMax ? valueMax : value | 0;
  if (whole < exactBelow) return whole;
  const octave = 31 - Math.clz32(whole);
  return ((octave - 2) << 3) + ((whole >>> (octave - 3)) & 7);
}

/** The smallest value of a bin. */
export function lowerEdge(bin: number): number {
  if (bin < exactBelow) return bin;
  const octave = (bin >> 3) + 2;
  return (binsPerOctave + (bin & 7)) * 2 ** (octave - 3);
}

/** The middle of a bin: what a value in it is taken for. */
export function middle(bin: number): number {
  return bin < exactBelow ? bin : (lowerEdge(bin) + lowerEdge(bin + 1) - 1) / 2;
}
