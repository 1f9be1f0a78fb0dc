/** Amounts as people write them in a price list, exact: fractions of whole numbers, rounded once at the end. */

/** A number of at least 0. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const plainDecimal = /^(\d{1,18})(?:\.(\d{1,18}))?$/;

/** The value of a plain decimal (`0.0375`), digit by digit; undefined for any other text. */
export function parseDecimal(text: string): Fraction | undefined {
  const match = plainDecimal.exec(text);
  if (match === null) return undefined;
  const fraction = match[2] ?? "";
  return { numerator: BigInt((match[1] ?? "") + fraction), denominator: 10n ** BigInt(fraction.length) };
}

export const zero: Fraction = { numerator: 0n, denominator: 1n };
export const one: Fraction = { numerator: 1n, denominator: 1n };

/** The product of all of them. */
export function product(...factors: readonly Fraction[]): Fraction {
  return factors.reduce((left, right) => ({
    numerator: left.numerator * right.numerator,
    denominator: left.denominator * right.denominator,
  }));
}

/** @throws RangeError when the divisor is 0. */
export function quotient(dividend: Fraction, divisor: Fraction): Fraction {
  if (divisor.numerator === 0n) throw new RangeError("divided by 0");
  return product(dividend, { numerator: divisor.denominator, denominator: divisor.numerator });
}

/** A whole number. */
export function whole(value: bigint | number): Fraction {
  return { numerator: BigInt(value), denominator: 1n };
}

/** The nearest whole number of `1 / scale`, half to even: `rounded(0.5, 10n)` is 5n. */
export function rounded({ numerator, denominator }: Fraction, scale: bigint): bigint {
  const scaled = numerator * scale;
  const down = scaled / denominator;
  const twiceRest = (scaled % denominator) * 2n;
  const up = twiceRest > denominator || (twiceRest === denominator && down % 2n === 1n);
  return up ? down + 1n : down;
}
