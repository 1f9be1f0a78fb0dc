/** What a scenario is: something bad that happens to a server under load, and what must hold afterwards. */

import { Fleet } from "../exporters.ts";
import { excessUsdPerMinuteMin } from "../incident.ts";
import { Ledger } from "../ledger.ts";
import { judgeStore } from "../verdict.ts";
import { Victim, type VictimOptions } from "../victim.ts";

export interface ScenarioResult {
  readonly scenario: string;
  /** Why it did not run. */
  readonly skipped?: string;
  readonly lost: number;
  readonly doubled: number;
  readonly rollups: number;
  /** What was seen, for the reader. */
  readonly notes: readonly string[];
  readonly faults: readonly string[];
}

export interface Scene {
  readonly victim: Victim;
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  readonly note: (line: string) => void;
  readonly fault: (line: string) => void;
}

export interface SceneOptions {
  readonly scenario: string;
  readonly seed: number;
  readonly victim?: VictimOptions;
  /** Where the exporters send, when not to the server itself. */
  readonly through?: (victim: Victim) => Promise<string>;
}

/** Lets `play` happen to a fleet and a server that is not started yet; then starts it if need be, settles and judges. */
export async function underLoad(options: SceneOptions, play: (scene: Scene) => Promise<void>): Promise<ScenarioResult> {
  const { scenario, seed, through } = options;
  const environment = {
    BURNWATCH_EXCESS_USD_PER_MINUTE_MIN: String(excessUsdPerMinuteMin),
    ...options.victim?.environment,
  };
  const victim = await Victim.create({ ...options.victim, environment });
  const ledger = new Ledger();
  const tracesUrl = (await through?.(victim)) ?? victim.tracesUrl;
  const fleet = new Fleet({ ledger, tracesUrl, exporters: 4, seed });
  const [notes, faults]: [string[], string[]] = [[], []];
  try {
    await play({ victim, fleet, ledger, note: (line) => notes.push(line), fault: (line) => faults.push(line) });
    if (!victim.alive()) await victim.start();
    await fleet.pause();
    const verdict = await judgeStore(victim.apiUrl, ledger);
    await victim.stop();
    fleet.resume();
    if (verdict.completeness !== 1) faults.push(`completeness ${verdict.completeness}, not 1`);
    faults.push(...verdict.examples, ...verdict.rollups);
    notes.push(`${ledger.ackedSpans()} spans acknowledged`);
    return { scenario, notes, faults, ...verdict, rollups: verdict.rollups.length };
  } catch (error) {
    faults.push((error as Error).message);
    return { scenario, lost: 0, doubled: 0, rollups: 0, notes, faults };
  } finally {
    await victim.remove();
    // Exporters that still wait for an answer will get none: they end with the process.
    void fleet.stop().catch(() => undefined);
  }
}

export function skipped(scenario: string, reason: string): ScenarioResult {
  return { scenario, skipped: reason, lost: 0, doubled: 0, rollups: 0, notes: [], faults: [] };
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
