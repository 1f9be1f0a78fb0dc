/** Which detectors run, how loud, and with what settings: their own defaults and what the operator says otherwise. */

import type { Detector, Scope, Settings } from "../../detectors/detector.ts";
import { nearestName } from "../model/nearest-name.ts";

export type Mode = Detector["mode"];

export interface DetectorChoice {
  readonly mode?: Mode;
  /** Overrides of the detector's settings, by their names. */
  readonly settings?: Readonly<Record<string, number>>;
  /** Overrides of mode and settings in one scope. */
  readonly scopes?: Readonly<Partial<Record<Scope, Omit<DetectorChoice, "scopes">>>>;
}

/** Choices by the detector's name. */
export type DetectorChoices = Readonly<Record<string, DetectorChoice>>;

/** A detector as it runs in one scope. */
export interface PlannedDetector {
  readonly detector: Detector;
  readonly scope: Scope;
  /** Its place in the list of the scope. */
  readonly place: number;
  /** The scope whose state of this detector is the parent's, and its place there; null for its widest. */
  readonly above: { readonly scope: Scope; readonly place: number } | null;
  /** Whether the detector also watches parts of a series of this scope. */
  readonly whole: boolean;
  readonly mode: "ticket" | "page";
  readonly settings: Settings;
}

/**
 * The detectors that run, by scope, in the order of the list.
 * @param runs which of them run here: others may run in another process.
 * @throws RangeError that names the wrong key and the nearest right one.
 */
export function planDetectors(
  detectors: readonly Detector[],
  choices: DetectorChoices,
  runs: (detector: Detector) => boolean = () => true,
): ReadonlyMap<Scope, readonly PlannedDetector[]> {
  for (const name of Object.keys(choices))
    check(
      `detectors.${name}`,
      name,
      detectors.map((each) => each.name),
    );
  const planned = new Map<Scope, PlannedDetector[]>();
  for (const detector of detectors) {
    const choice = choices[detector.name] ?? {};
    for (const scope of Object.keys(choice.scopes ?? {})) {
      check(`detectors.${detector.name}.scopes.${scope}`, scope, detector.scopes);
    }
    for (const scope of detector.scopes) {
      const narrow = choice.scopes?.[scope] ?? {};
      const mode = narrow.mode ?? choice.mode ?? detector.mode;
      const changed = { ...choice.settings, ...narrow.settings };
      const settings = settingsOf(detector, changed);
      if (mode === "off" || !runs(detector)) continue;
      const list = planned.get(scope) ?? [];
      const wider = detector.scopes[detector.scopes.indexOf(scope) - 1];
      const parent = wider === undefined ? undefined : planned.get(wider)?.find((each) => each.detector === detector);
      const above = parent === undefined ? null : { scope: parent.scope, place: parent.place };
      const whole = detector.scopes.at(-1) !== scope;
      list.push({ detector, scope, place: list.length, above, whole, mode, settings });
      planned.set(scope, list);
    }
  }
  return planned;
}

/** The configuration spells settings in snake_case. */
function settingsOf({ name, settings }: Detector, changed: Readonly<Record<string, number>>): Settings {
  const bySpelling = new Map(Object.keys(settings).map((key) => [settingSpelling(key), key]));
  const merged: Record<string, number> = { ...settings };
  for (const [spelling, value] of Object.entries(changed)) {
    check(`detectors.${name}.settings.${spelling}`, spelling, [...bySpelling.keys()]);
    merged[bySpelling.get(spelling) ?? spelling] = value;
  }
  return merged;
}

/** `meanRatioMin` is spelt `mean_ratio_min`. */
export function settingSpelling(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function check(path: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const nearest = nearestName(name, known);
  throw new RangeError(`${path}: expected one of ${known.join(", ")}${nearest === undefined ? "" : `; ${nearest}?`}`);
}
