/** What an incident acts upon: the trace's calls, and which of them it is about. */

import { hash } from "node:crypto";
import type { ReplayCall } from "../replay-call.ts";

export interface Scene {
  /** In the order of their ends; times count from the end of the trace. */
  readonly calls: readonly ReplayCall[];
  /** The incident lasts from here (included) to there (excluded). */
  readonly fromUs: number;
  readonly untilUs: number;
  /** Distinguishes the keys of calls that this incident adds. */
  readonly name: string;
  /** Whether the incident is about such calls, at whatever time. */
  readonly concerns: (call: ReplayCall) => boolean;
  /** A number in [0, 1) that depends on the seed, the incident and the key alone. */
  readonly chance: (key: string) => number;
}

/** Whether a call that the incident concerns was made while it lasts. */
export function affected(scene: Scene, call: ReplayCall): boolean {
  return call.startUs >= scene.fromUs && call.startUs < scene.untilUs && scene.concerns(call);
}

/** The calls with those replaced that the incident affects. */
export function changeAffected(scene: Scene, change: (call: ReplayCall) => ReplayCall): ReplayCall[] {
  return scene.calls.map((call) => (affected(scene, call) ? change(call) : call));
}

/** A reproducible stand-in for randomness: 48 bits of a hash. */
export function chanceOf(seed: string, name: string): (key: string) => number {
  return (key) => Number.parseInt(hash("sha256", `${seed}\n${name}\n${key}`, "hex").slice(0, 12), 16) / 2 ** 48;
}
