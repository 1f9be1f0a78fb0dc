/** Rates as exact decimals: 70 of 3,631 list rates are not whole nano-dollars a token, so money is never a float here. */

/** Atto-dollars (1e-18 USD) per token or per call: every list rate is a whole number of them. */
export type AttoUsd = bigint;

const attoPerNano = 1_000_000_000n;

/**
 * US dollars per `per` units, as printed in a price list, to atto-dollars per unit: `exactRate(0.0375, 1e6)` -> 37500000000n.
 * The shortest decimal text of the number is taken for the list's own digits.
 * @throws RangeError when the rate is not finite, is negative, or is finer than an atto-dollar per unit.
 */
export function exactRate(usd: number, per: number): AttoUsd {
  if (!Number.isFinite(usd) || usd < 0) throw new RangeError(`rate ${usd} is not an amount of dollars`);
  const [digits = "0", exponent = "0"] = String(usd).toLowerCase().split("e");
  const [whole = "0", fraction = ""] = digits.split(".");
  const scale = 18 + Number(exponent) - fraction.length;
  const unscaled = BigInt(whole + fraction);
  const atto = scale >= 0 ? unscaled * 10n ** BigInt(scale) : unscaled / 10n ** BigInt(-scale);
  if (atto % BigInt(per) !== 0n || (scale < 0 && unscaled % 10n ** BigInt(-scale) !== 0n)) {
    throw new RangeError(`rate ${usd} per ${per} is finer than an atto-dollar`);
  }
  return atto / BigInt(per);
}

/** Atto-dollars to nano-dollars, rounded once, half to even. */
export function roundToNano(atto: AttoUsd): number {
  const quotient = atto / attoPerNano;
  const twiceRest = (atto % attoPerNano) * 2n;
  const up = twiceRest > attoPerNano || (twiceRest === attoPerNano && quotient % 2n === 1n);
  return Number(up ? quotient + 1n : quotient);
}
