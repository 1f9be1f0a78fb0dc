/** What operators say about detectors, in words: `spend=ticket`, `token-shift.mean_ratio_min=1.5`, `spend@tenant=off`. */

import { detectors } from "../../detectors/detectors.ts";
import { type DetectorChoice, type DetectorChoices, type Mode, planDetectors } from "./detector-plan.ts";

const grammar = "NAME=off|ticket|page or NAME.SETTING=NUMBER, with @SCOPE after the name for one scope";

/** Later words win. @throws RangeError that says what is wrong, what was expected and the nearest name. */
export function detectorChoices(texts: readonly string[]): DetectorChoices {
  const choices: Record<string, DetectorChoice> = {};
  for (const text of texts) {
    const match = /^([\w-]+)(?:@(\w+))?(?:\.(\w+))?=(.+)$/.exec(text.trim());
    if (match === null) throw new RangeError(`${text}: expected ${grammar}`);
    const [, name = "", scope, setting, value = ""] = match;
    const known = choices[name] ?? {};
    if (scope === undefined) choices[name] = changed(known, { text, setting, value });
    else {
      const scopes: Record<string, DetectorChoice> = { ...known.scopes };
      scopes[scope] = changed(scopes[scope] ?? {}, { text, setting, value });
      choices[name] = { ...known, scopes };
    }
  }
  planDetectors(detectors, choices);
  return choices;
}

function changed(
  choice: DetectorChoice,
  { text, setting, value }: { readonly text: string; readonly setting: string | undefined; readonly value: string },
): DetectorChoice {
  if (setting === undefined) return { ...choice, mode: modeOf(text, value) };
  return { ...choice, settings: { ...choice.settings, [setting]: numberOf(text, value) } };
}

function modeOf(text: string, value: string): Mode {
  if (value === "off" || value === "ticket" || value === "page") return value;
  throw new RangeError(`${text}: expected off, ticket or page`);
}

function numberOf(text: string, value: string): number {
  const number = Number(value);
  if (value.trim() !== "" && Number.isFinite(number)) return number;
  throw new RangeError(`${text}: expected a number`);
}
