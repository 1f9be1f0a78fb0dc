/** `--set` of commands that run detectors: `spend=ticket`, `token-shift.mean_ratio_min=1.5`. */

import { detectors } from "../../detectors/detectors.ts";
import { type DetectorChoice, type Mode, planDetectors } from "../detection/detector-plan.ts";
import { UsageError } from "./command.ts";

/** @throws UsageError that says what is wrong and what was expected. */
export function detectorChoices(texts: readonly string[]): Record<string, DetectorChoice> {
  const choices: Record<string, DetectorChoice> = {};
  for (const text of texts) {
    const match = /^([\w-]+)(?:\.(\w+))?=(.+)$/.exec(text);
    if (match === null) throw new UsageError(`--set ${text}: expected NAME=off|ticket|page or NAME.SETTING=NUMBER`);
    const [, name = "", setting, value = ""] = match;
    const before = choices[name] ?? {};
    choices[name] =
      setting === undefined
        ? { ...before, mode: modeOf(text, value) }
        : { ...before, settings: { ...before.settings, [setting]: numberOf(text, value) } };
  }
  try {
    planDetectors(detectors, choices);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  return choices;
}

function modeOf(text: string, value: string): Mode {
  if (value === "off" || value === "ticket" || value === "page") return value;
  throw new UsageError(`--set ${text}: expected off, ticket or page`);
}

function numberOf(text: string, value: string): number {
  const number = Number(value);
  if (value.trim() !== "" && Number.isFinite(number)) return number;
  throw new UsageError(`--set ${text}: expected a number`);
}
