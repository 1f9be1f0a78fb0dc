/** An emitter's own cost in dollars, to the nano-dollar it stands for: digits, never floats. */

import type { NanoUsd } from "../model/money.ts";
import type { AttributeValue } from "../model/span.ts";

/** More dollars than one call can cost, and safe as nano-dollars. */
const usdMax = 1_000_000;

/**
 * Nano-dollars of a number or decimal text of dollars, rounded half to even. A number stands for its shortest decimal
 * text. Undefined where it is no amount from 0 to a million dollars.
 */
export function reportedNanoUsd(value: AttributeValue): NanoUsd | undefined {
  if (typeof value !== "number" && typeof value !== "string") return undefined;
  const match = /^\s*\+?(\d{1,30})(?:\.(\d{0,40}))?(?:e([+-]?\d{1,2}))?\s*$/i.exec(String(value));
  if (match === null || Number(value) > usdMax) return undefined;
  const fraction = match[2] ?? "";
  const digits = BigInt((match[1] ?? "0") + fraction);
  const decimals = fraction.length - Number(match[3] ?? 0) - 9;
  if (decimals <= 0) return Number(digits * 10n ** BigInt(-decimals));
  return Number(halfEven(digits, 10n ** BigInt(decimals)));
}

function halfEven(value: bigint, unit: bigint): bigint {
  const quotient = value / unit;
  const twiceRest = (value % unit) * 2n;
  return twiceRest > unit || (twiceRest === unit && quotient % 2n === 1n) ? quotient + 1n : quotient;
}
