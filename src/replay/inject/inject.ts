/** Puts incidents into a trace. The same trace, incidents and seed give the same calls; nothing that is not concerned changes. */

import { nearestName } from "../../model/nearest-name.ts";
import type { ReplayCall } from "../replay-call.ts";
import { ReplayError } from "../replay-error.ts";
import { breakCache } from "./cache-break.ts";
import type { Moment, Where } from "./incident-fields.ts";
import type { Incident } from "./incidents.ts";
import { addLoop } from "./loop.ts";
import { fallBack } from "./model-fallback.ts";
import { addRetries } from "./retry-storm.ts";
import { affected, chanceOf, type Scene } from "./scene.ts";
import { shiftTokens } from "./token-shift.ts";

export interface Injection {
  readonly incidents: readonly Incident[];
  readonly seed: string;
  /** Unix microseconds of the trace's time 0, undefined where it has no dates. */
  readonly zeroUs: number | undefined;
}

/**
 * The calls of a trace with the incidents applied one after another, in the order of their ends.
 * @throws ReplayError when an incident has no place in the trace, since nobody wants a drill in which nothing happens.
 */
export function inject(calls: readonly ReplayCall[], injection: Injection): readonly ReplayCall[] {
  let current = calls;
  for (const [index, incident] of injection.incidents.entries()) {
    const name = `incident ${index + 1} (${incident.kind})`;
    const scene = setScene(current, { incident, name, injection });
    const changed = applyIncident(incident, scene);
    current = changed.sort((left, right) => left.endUs - right.endUs || left.row - right.row);
  }
  return current;
}

/** When each incident lasts, in microseconds of the trace, and which calls it is about. */
export interface IncidentSpan {
  readonly fromUs: number;
  readonly untilUs: number;
  readonly where: Partial<Pick<ReplayCall, (typeof fieldOf)[keyof Where]>>;
}

/** The spans of the incidents, each in the trace that the ones before it made. */
export function incidentSpans(calls: readonly ReplayCall[], injection: Injection): readonly IncidentSpan[] {
  const { zeroUs } = injection;
  return injection.incidents.map((incident, index) => {
    const at = { name: `incident ${index + 1} (${incident.kind})`, zeroUs };
    const where = Object.entries(incident.where).map(([key, value]) => [fieldOf[key as keyof Where], value]);
    return {
      fromUs: momentUs(incident.from, calls, at),
      untilUs: incident.until === undefined ? Number.POSITIVE_INFINITY : momentUs(incident.until, calls, at),
      where: Object.fromEntries(where) as IncidentSpan["where"],
    };
  });
}

function applyIncident(incident: Incident, scene: Scene): ReplayCall[] {
  switch (incident.kind) {
    case "token_shift":
      return shiftTokens(incident, scene);
    case "loop":
      return addLoop(incident, scene);
    case "cache_break":
      return breakCache(incident, scene);
    case "model_fallback":
      return fallBack(incident, scene);
    case "retry_storm":
      return addRetries(incident, scene);
  }
}

interface Setting {
  readonly incident: Incident;
  readonly name: string;
  readonly injection: Injection;
}

function setScene(calls: readonly ReplayCall[], { incident, name, injection }: Setting): Scene {
  const fromUs = momentUs(incident.from, calls, { name, zeroUs: injection.zeroUs });
  const untilUs =
    incident.until === undefined
      ? Number.POSITIVE_INFINITY
      : momentUs(incident.until, calls, { name, zeroUs: injection.zeroUs });
  if (untilUs <= fromUs) throw new ReplayError(`${name}: until is not after from`);
  const concerns = concernsWhere(incident.where);
  const scene = { calls, fromUs, untilUs, name, concerns, chance: chanceOf(injection.seed, name) };
  if (!calls.some(concerns)) throw concernsNothing(incident.where, { calls, name });
  const late = incident.kind === "loop" ? fromUs < 0 : calls.some((call) => affected(scene, call));
  if (!late) {
    throw new ReplayError(`${name}: no call that it concerns lies between from and until`, {
      hint: 'name an earlier time, e.g. from: "80%"',
    });
  }
  return scene;
}

function momentUs(
  moment: Moment,
  calls: readonly ReplayCall[],
  trace: Pick<Setting, "name"> & Pick<Injection, "zeroUs">,
): number {
  if (moment.kind === "before end") return -moment.us;
  if (moment.kind === "at") {
    if (trace.zeroUs !== undefined) return moment.us - trace.zeroUs;
    throw new ReplayError(`${trace.name}: a date is of no use, since the trace has none`, {
      hint: 'use "-10m" or "80%"',
    });
  }
  const starts = calls.map((call) => call.startUs).sort((left, right) => left - right);
  return starts[Math.floor(moment.share * starts.length)] ?? Number.POSITIVE_INFINITY;
}

const fieldOf = {
  tenant: "tenant",
  service: "service",
  feature: "feature",
  user: "user",
  session: "session",
  agent: "agent",
  run: "run",
  prompt_name: "promptName",
  prompt_version: "promptVersion",
  provider: "provider",
  model: "model",
} as const satisfies Record<keyof Where, keyof ReplayCall>;

function concernsWhere(where: Where): (call: ReplayCall) => boolean {
  const conditions = Object.entries(where) as [keyof Where, string][];
  return (call) => conditions.every(([key, value]) => call[fieldOf[key]] === value);
}

function concernsNothing(where: Where, { calls, name }: { calls: readonly ReplayCall[]; name: string }): ReplayError {
  for (const [key, value] of Object.entries(where) as [keyof Where, string][]) {
    const values = new Set(calls.map((call) => call[fieldOf[key]]));
    if (values.has(value)) continue;
    const nearest = nearestName(value, values);
    const some = [...values].slice(0, 5).map((text) => JSON.stringify(text));
    return new ReplayError(`${name}: where.${key}: no call has ${JSON.stringify(value)}`, {
      hint: nearest === undefined ? `the trace has ${some.join(", ")}` : `did you mean ${JSON.stringify(nearest)}?`,
    });
  }
  return new ReplayError(`${name}: no call is of everything that where says`);
}
