/** Incidents with known causes, put into an ordinary hour. The labels are the generator's: it knows which calls it changed. */

import { type WorldCall, worldCost, worldSeconds } from "./cause-world.ts";
import type { Random } from "./random.ts";

export type Slice = Readonly<Partial<Record<"tenant" | "feature" | "model" | "promptVersion" | "user", string>>>;

export const incidentKinds = [
  "more calls",
  "longer inputs",
  "longer outputs",
  "cache broken",
  "retries",
  "dear model",
  "new feature",
  "new prompt version",
  "feature gone",
  "abusing user",
] as const;

export type IncidentKind = (typeof incidentKinds)[number];

export interface LabelledChange {
  readonly before: readonly WorldCall[];
  readonly after: readonly WorldCall[];
  /** Length of after over length of before. */
  readonly scale: number;
  /** One per incident: slices any of which is the right answer. */
  readonly causes: readonly (readonly Slice[])[];
  /** What each incident changed, over what all changed. */
  readonly parts: readonly number[];
  /** What the incidents changed, over what the hour would have cost without: 0.3 is 30 %. */
  readonly effect: number;
  /** What the hour's later part cost more or less than its earlier part by itself, over the same: real drift. */
  readonly drift: number;
}

type Change = (
  calls: readonly WorldCall[],
  random: Random,
) => { calls: WorldCall[]; accepted: readonly Slice[] } | null;

/** Whether a call falls under a slice. */
export function fallsUnder(call: WorldCall, { tenant, feature, model, promptVersion, user }: Slice): boolean {
  return (
    (tenant === undefined || call.tenant === tenant) &&
    (feature === undefined || call.feature === feature) &&
    (model === undefined || call.model === model) &&
    (promptVersion === undefined || call.promptVersion === promptVersion) &&
    (user === undefined || call.user === user)
  );
}

const spendOf = (calls: readonly WorldCall[]) => calls.reduce((sum, call) => sum + worldCost(call), 0);

/** A conjunction of one to three names that holds 5 to 50 % of the spend, or null when the dice find none. */
function someSlice(calls: readonly WorldCall[], random: Random, names: readonly (keyof Slice)[]): Slice | null {
  const all = spendOf(calls);
  for (let attempt = 0; attempt < 40; attempt++) {
    const count = 1 + Math.min(random.below(3), random.below(3));
    const chosen = [...names].sort(() => random.next() - 0.5).slice(0, count);
    const model = random.pick(calls);
    const slice: Slice = Object.fromEntries(chosen.map((name) => [name, model[name]]));
    const share = spendOf(calls.filter((call) => fallsUnder(call, slice))) / all;
    if (share > 0.05 && share < 0.5) return slice;
  }
  return null;
}

const anyNames = ["tenant", "feature", "model", "promptVersion"] as const;

/** Replaces each call of a slice by others. */
function within(names: readonly (keyof Slice)[], change: (call: WorldCall, random: Random) => WorldCall[]): Change {
  return (calls, random) => {
    const slice = someSlice(calls, random, names);
    if (slice === null) return null;
    const changed = calls.flatMap((call) => (fallsUnder(call, slice) ? change(call, random) : [call]));
    return { calls: changed, accepted: [slice] };
  };
}

function changeOf(kind: IncidentKind, random: Random): Change {
  const factor = random.between(1.6, 4);
  const whole = Math.floor(factor) + (random.next() < factor % 1 ? 1 : 0);
  const repeat = (call: WorldCall, retry: boolean) =>
    Array.from({ length: Math.max(2, whole) }, (_, index) => ({ ...call, retry: retry && index > 0 }));
  switch (kind) {
    case "more calls":
      return within(anyNames, (call) => repeat(call, false));
    case "retries":
      return within(anyNames, (call) => repeat(call, true));
    case "longer inputs":
      return within(anyNames, (call) => [
        { ...call, input: Math.round(call.input * factor), cacheRead: Math.round(call.cacheRead * factor) },
      ]);
    case "longer outputs":
      return within(anyNames, (call) => [{ ...call, output: Math.round(call.output * factor * 2) }]);
    case "cache broken":
      return cacheBroken;
    case "dear model":
      return dearModel;
    case "new feature":
      return newNames({ feature: "translate" });
    case "new prompt version":
      return newPromptVersion;
    case "feature gone":
      return within(["feature"], () => []);
    case "abusing user":
      return abusingUser;
  }
}

/** Only agents' calls are cached here, so that the agents of the slice are the same answer. */
function cacheBroken(calls: readonly WorldCall[], random: Random) {
  const slice = someSlice(calls, random, ["tenant", "model", "promptVersion"]);
  if (slice === null) return null;
  const changed = calls.map((call) =>
    fallsUnder(call, slice) ? { ...call, input: call.input + call.cacheRead, cacheRead: 0 } : call,
  );
  return { calls: changed, accepted: [{ ...slice, feature: "agent" }, slice] };
}

/** A share of a slice's calls is answered by o1, which nobody used before. The slice is right, and so is o1 within it. */
function dearModel(calls: readonly WorldCall[], random: Random) {
  const slice = someSlice(calls, random, ["tenant", "feature"]);
  if (slice === null) return null;
  const share = random.pick([0.05, 0.2, 0.5, 1]);
  const changed = calls.map((call) =>
    fallsUnder(call, slice) && random.next() < share ? { ...call, model: "o1" } : call,
  );
  return { calls: changed, accepted: [{ ...slice, model: "o1" }, slice] };
}

/** A tenant starts to use something: copies of others' calls under a name that did not exist. */
function newNames(names: Slice): Change {
  return (calls, random) => {
    const tenant = random.pick(calls).tenant;
    const copied = calls
      .filter(() => random.next() < 0.25)
      .map((call) => ({ ...call, tenant, user: `${tenant}/new-user`, ...names }));
    return { calls: [...calls, ...copied], accepted: [names] };
  };
}

/** All calls of a feature move to a version that did not exist, whose prompts are longer. */
function newPromptVersion(calls: readonly WorldCall[], random: Random) {
  const slice = someSlice(calls, random, ["feature"]);
  if (slice === null) return null;
  const factor = random.between(1.5, 3);
  const changed = calls.map((call) =>
    fallsUnder(call, slice) ? { ...call, promptVersion: "v9", input: Math.round(call.input * factor) } : call,
  );
  return { calls: changed, accepted: [{ ...slice, promptVersion: "v9" }, slice] };
}

/** One user of a tenant sends what a third of its other users send together. */
function abusingUser(calls: readonly WorldCall[], random: Random) {
  const model = random.pick(calls);
  const own = calls.filter((call) => call.tenant === model.tenant);
  const added = own.filter(() => random.next() < 0.5).map((call) => ({ ...call, user: model.user }));
  return { calls: [...calls, ...added], accepted: [{ user: model.user }] };
}

/** Splits an hour in two and puts incidents into the later part; null where the dice found no slice or no effect. */
export function labelledChange(
  hour: readonly WorldCall[],
  kinds: readonly IncidentKind[],
  random: Random,
): LabelledChange | null {
  const cut = worldSeconds * random.pick([0.5, 0.5, 0.6, 0.75]);
  const before = hour.filter((call) => call.seconds < cut);
  const calm = hour.filter((call) => call.seconds >= cut);
  let after: readonly WorldCall[] = calm;
  const causes: (readonly Slice[])[] = [];
  const effects: number[] = [];
  for (const kind of kinds) {
    const changed = changeOf(kind, random)(after, random);
    if (changed === null) return null;
    effects.push(Math.abs(spendOf(changed.calls) - spendOf(after)));
    after = changed.calls;
    causes.push(changed.accepted);
  }
  const scale = (worldSeconds - cut) / cut;
  const drift = Math.abs(spendOf(calm) - spendOf(before) * scale) / spendOf(calm);
  const moved = effects.reduce((sum, effect) => sum + effect, 0);
  const parts = effects.map((effect) => effect / moved);
  return { before, after, scale, causes, parts, effect: moved / spendOf(calm), drift };
}
