/** Amounts in their units, as words: for a person's eye, and exact for a script. */

import type { Unit } from "./finding.ts";
import { displayUsd, formatUsd } from "./money.ts";

const suffixes: Readonly<Record<Unit, string>> = {
  nano_usd_per_minute: "/min",
  nano_usd_per_call: " a call",
  nano_usd: "",
  tokens_per_call: " tokens a call",
  calls_per_minute: " calls/min",
  calls: " calls",
  share: " %",
  ratio: "x",
  seconds: " s",
  tokens_per_joule: " tokens/J",
};

/** `$8.00/min`, `1,234 tokens a call`, `12.5 %`. */
export function displayAmount(value: number, unit: Unit): string {
  if (isMoney(unit)) return `${displayUsd(Math.round(value))}${suffixes[unit]}`;
  const shown = unit === "share" ? value * 100 : value;
  const digits = Math.abs(shown) >= 100 ? 0 : Math.abs(shown) >= 1 ? 1 : 3;
  return `${shown.toLocaleString("en-US", { maximumFractionDigits: digits })}${suffixes[unit]}`;
}

/** `8.000000000 USD/min`, `1234 tokens a call`: nothing rounded but to nano-dollars and six significant digits. */
export function formatAmount(value: number, unit: Unit): string {
  if (isMoney(unit)) return `${formatUsd(Math.round(value))} USD${suffixes[unit]}`;
  return `${Number((unit === "share" ? value * 100 : value).toPrecision(6))}${suffixes[unit]}`;
}

function isMoney(unit: Unit): boolean {
  return unit.startsWith("nano_usd");
}
