/**
 * Money: integer nano-dollars (1 USD = 1e9), exact in a JS number to $9,007,199. Never a float, never a default of 0.
 */

/** Nano-dollars of one record; a safe integer, negative in a correction. */
export type NanoUsd = number;

const nanoPerUsd = 1_000_000_000n;

/** Decimal US dollars with exactly nine fraction digits: `1500000000n` -> `"1.500000000"`. Exact for any size. */
export function formatUsd(nanoUsd: bigint | number): string {
  const value = BigInt(nanoUsd);
  const magnitude = value < 0n ? -value : value;
  const fraction = (magnitude % nanoPerUsd).toString().padStart(9, "0");
  return `${value < 0n ? "-" : ""}${magnitude / nanoPerUsd}.${fraction}`;
}

/**
 * Nano-dollars of a plain decimal string of US dollars (`"-0.0025"`).
 * @throws RangeError when the text is no plain decimal or has more than nine fraction digits.
 */
export function parseUsd(text: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null) throw new RangeError(`"${text}" is not a decimal amount of US dollars with at most 9 decimals`);
  const magnitude = BigInt(match[2] ?? "0") * nanoPerUsd + BigInt((match[3] ?? "").padEnd(9, "0"));
  return match[1] === "-" ? -magnitude : magnitude;
}

/** Dollars for a person's eye: cents from a dollar up, four significant digits below. Display only, never summed. */
export function displayUsd(nanoUsd: bigint | number): string {
  const usd = Number(nanoUsd) / 1e9;
  const magnitude = Math.abs(usd);
  const sign = usd < 0 ? "-" : "";
  if (magnitude === 0) return "$0";
  if (magnitude >= 1)
    return `${sign}$${magnitude.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  const digits = Math.min(9, Math.max(2, 3 - Math.floor(Math.log10(magnitude))));
  return `${sign}$${magnitude.toFixed(digits)}`;
}
