import { expect, it } from "vitest";
import { displayAmount, formatAmount } from "./amount.ts";

it.each([
  [8_000_000_000, "nano_usd_per_minute", "$8.00/min", "8.000000000 USD/min"],
  [1234.4, "tokens_per_call", "1,234 tokens a call", "1234.4 tokens a call"],
  [0.125, "share", "12.5 %", "12.5 %"],
  [1.84, "ratio", "1.8x", "1.84x"],
] as const)("%s in %s is %s to a person and %s to a script", (value, unit, person, script) => {
  expect(displayAmount(value, unit)).toBe(person);
  expect(formatAmount(value, unit)).toBe(script);
});
