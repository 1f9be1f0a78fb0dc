/** The named steps between an export request and its row, and where in a step a process may be killed. */

import type { Random } from "../../src/ingest/otlp-random.ts";

export const steps = [
  "spans.append",
  "usage.commit",
  "plan.save",
  "store.insert",
  "offset.save",
  "detection.save",
  "alerts.save",
  "spans.trim",
  "usage.trim",
] as const;

export type Step = (typeof steps)[number];

/** `before` its first effect, some milliseconds after it `began`, or `after` it is durable and before anyone knows. */
export const phases = ["before", "began", "after"] as const;

export type Phase = (typeof phases)[number];

/** Kills the server at the n-th passing of a step. */
export interface Failpoint {
  readonly step: Step;
  readonly phase: Phase;
  readonly passing: number;
  /** After the step began. */
  readonly delayMs: number;
}

/** Kills that the server does not choose: while it starts, while it works, while it stops. */
export const outsidePlaces = ["starting", "random", "stopping"] as const;

export type OutsidePlace = (typeof outsidePlaces)[number];

export type Kill =
  | { readonly kind: "failpoint"; readonly failpoint: Failpoint }
  | { readonly kind: "outside"; readonly place: OutsidePlace; readonly delayMs: number };

/** How often a step is passed while a server works for a second or two: which passing may be chosen. */
const passingsMax: Readonly<Record<Step, number>> = {
  "spans.append": 80,
  "usage.commit": 40,
  "plan.save": 5,
  "store.insert": 5,
  "offset.save": 5,
  "detection.save": 1,
  "alerts.save": 3,
  "spans.trim": 40,
  "usage.trim": 1,
};

/** Longest time of a step on a busy disk; a kill a little after its end is as good. */
const beganMsMax: Readonly<Partial<Record<Step, number>>> = { "store.insert": 40 };

const outsideMsMax: Readonly<Record<OutsidePlace, number>> = { starting: 1500, random: 3000, stopping: 150 };

/** Kills judged together: enough to hit a recovery, few enough to name the culprit. */
const killsPerGroup = 3;

/** Places in random order, as evenly as the number allows, in groups of a few kills at one place. */
export function killPlan(kills: number, random: Random, wanted: (place: string) => boolean): readonly Kill[] {
  const makers = [
    ...steps.flatMap((step) => phases.map((phase) => () => failpointKill(step, phase, random))),
    ...outsidePlaces.flatMap((place) => [() => outsideKill(place, random), () => outsideKill(place, random)]),
  ].filter((make) => wanted(placeOf(make())));
  if (makers.length === 0) return [];
  const plan: Kill[] = [];
  while (plan.length < kills)
    for (const make of shuffle(makers, random)) plan.push(...Array.from({ length: killsPerGroup }, make));
  return plan.slice(0, kills);
}

/** A kill at one step, at a passing of the seed's choice. */
export function failpointKill(step: Step, phase: Phase, random: Random): Kill {
  const passing = 1 + random(passingsMax[step]);
  return { kind: "failpoint", failpoint: { step, phase, passing, delayMs: random(beganMsMax[step] ?? 4) } };
}

export function outsideKill(place: OutsidePlace, random: Random): Kill {
  return { kind: "outside", place, delayMs: random(outsideMsMax[place]) };
}

/** The name of a kill in the table. */
export function placeOf(kill: Kill): string {
  return kill.kind === "outside" ? kill.place : `${kill.failpoint.step} ${kill.failpoint.phase}`;
}

function shuffle<Item>(items: readonly Item[], random: Random): readonly Item[] {
  const keyed = items.map((item) => ({ item, at: random(1 << 30) }));
  return keyed.sort((a, b) => a.at - b.at).map(({ item }) => item);
}
