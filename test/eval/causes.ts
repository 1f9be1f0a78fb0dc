/** Whether the search for a cause names the calls that were changed: one cause, two at once, none, and everything alike. */

import { explainChange } from "../../detectors/cause/explain-change.ts";
import type { SliceNames } from "../../detectors/cause/search-slices.ts";
import { SpendTable } from "../../detectors/cause/spend-table.ts";
import {
  fallsUnder,
  type IncidentKind,
  incidentKinds,
  type LabelledChange,
  labelledChange,
  type Slice,
} from "./cause-incidents.ts";
import {
  ordinaryHour,
  type RecordedTraces,
  readRecordedTraces,
  type WorldCall,
  worldCost,
  worldRates,
} from "./cause-world.ts";
import type { Evaluation } from "./eval.ts";
import { type Random, randomOf } from "./random.ts";

/** An incident that changes less is lost in what two real half hours differ by. */
export const effectMin = 0.1;
const driftFactor = 2;
/** Two slices are the same answer when they share so much of the money. */
const sameMoney = 0.99;
/** A second cause counts when it is so much of what both changed. */
const secondPartMin = 0.25;
/** Seeds below were used for choosing the settings. */
export const heldOutFrom = 1000;

export interface Verdict {
  readonly kind: string;
  /** Over what the hour would have cost. */
  readonly effect: number;
  /** Whether the first slice named is a right one, and whether every cause was named. */
  readonly top: boolean;
  readonly all: boolean;
  readonly named: number;
}

/** A table of the two periods of a change, priced by the generator. */
export function tableOf({ before, after }: Pick<LabelledChange, "before" | "after">): SpendTable {
  const table = new SpendTable();
  for (const [period, calls] of [
    ["before", before],
    ["after", after],
  ] as const) {
    for (const call of calls) {
      const [input, cached, output] = worldRates[call.model] ?? [0, 0, 0];
      const { input: plain, cacheRead, output: visible, reasoning } = call;
      table.add(period, call, {
        calls: 1,
        retries: call.retry ? 1 : 0,
        tokens: { input: plain, cacheRead, cacheWrite: 0, output: visible, reasoning },
        nanoUsd: {
          input: plain * input,
          cacheRead: cacheRead * cached,
          cacheWrite: 0,
          output: visible * output,
          reasoning: reasoning * output,
        },
        feeNanoUsd: 0,
      });
    }
  }
  return table;
}

function verdictOn(change: LabelledChange, kind: string): Verdict {
  const found = explainChange(tableOf(change), change.scale).causes;
  const calls = [...change.before, ...change.after];
  const right = (names: SliceNames | undefined, accepted: readonly Slice[]) =>
    names !== undefined && accepted.some((slice) => sharedMoney(calls, slice, names) >= sameMoney);
  return {
    kind,
    effect: change.effect,
    top: change.causes.some((accepted) => right(found[0]?.names, accepted)),
    all: change.causes.every((accepted) => found.some(({ names }) => right(names, accepted))),
    named: found.length,
  };
}

/** Of the money under either slice, the part that is under both. */
function sharedMoney(calls: readonly WorldCall[], one: Slice, two: Slice): number {
  let [both, either] = [0, 0];
  for (const call of calls) {
    const [first, second] = [fallsUnder(call, one), fallsUnder(call, two)];
    if (!first && !second) continue;
    either += worldCost(call);
    if (first && second) both += worldCost(call);
  }
  return either > 0 ? both / either : 0;
}

function hourOf(traces: RecordedTraces, seed: number, random: Random): WorldCall[] {
  return ordinaryHour(traces, random, seed % 2 === 0 ? "shuffled" : "recorded");
}

/** An hour serves for so many incidents, each put into it alone. */
const incidentsPerHour = 5;

/** Incidents of one cause, as many as asked; dice that give no incident of enough effect are thrown again. */
export function singleCauses(traces: RecordedTraces, count: number, fromSeed = heldOutFrom): readonly Verdict[] {
  const verdicts: Verdict[] = [];
  for (let seed = fromSeed; verdicts.length < count; seed++) {
    const hour = hourOf(traces, seed, randomOf(seed));
    for (let index = 0; index < incidentsPerHour && verdicts.length < count; index++) {
      const random = randomOf(1000 * seed + index);
      const kind: IncidentKind =
        incidentKinds[(incidentsPerHour * (seed >> 1) + index) % incidentKinds.length] ?? "more calls";
      const change = labelledChange(hour, [kind], random);
      if (change === null || change.effect < Math.max(effectMin, driftFactor * change.drift)) continue;
      verdicts.push(verdictOn(change, kind));
    }
  }
  return verdicts;
}

/** Two incidents at once, each at least a quarter of what both change. */
export function doubleCauses(traces: RecordedTraces, count: number, fromSeed = heldOutFrom): readonly Verdict[] {
  const verdicts: Verdict[] = [];
  const kinds = incidentKinds.filter((kind) => kind !== "feature gone");
  for (let seed = fromSeed; verdicts.length < count; seed++) {
    const hour = hourOf(traces, seed, randomOf(seed));
    for (let index = 0; index < incidentsPerHour && verdicts.length < count; index++) {
      const random = randomOf(1000 * seed + 500 + index);
      const change = labelledChange(hour, [random.pick(kinds), random.pick(kinds)], random);
      if (change === null || change.effect < Math.max(2 * effectMin, driftFactor * change.drift)) continue;
      if (change.parts.some((part) => part < secondPartMin)) continue;
      verdicts.push(verdictOn(change, "two at once"));
    }
  }
  return verdicts;
}

/** Hours in which nothing was done; and the same with every call made 1.3 to 3 times as often. */
export function noCauses(traces: RecordedTraces, count: number, fromSeed = heldOutFrom) {
  const pairs = Array.from({ length: count }, (_, index) => {
    const random = randomOf(fromSeed + index + 500_000);
    const change = labelledChange(hourOf(traces, index, random), [], random);
    if (change === null) throw new Error("a change without incidents always exists");
    const factor = random.between(1.3, 3);
    const more = change.after.flatMap((call) => Array.from({ length: Math.floor(factor + random.next()) }, () => call));
    return [verdictOn(change, "nothing done"), verdictOn({ ...change, after: more }, "everything alike")] as const;
  });
  return { nothing: pairs.map(([nothing]) => nothing), alike: pairs.map(([, alike]) => alike) };
}

const sizes = { quick: 40, usual: 300, large: 1500 };

export const causesEvaluation: Evaluation = {
  name: "causes",
  summary: "incidents with known causes in hours of real calls: is the slice named that was changed?",
  async run({ size, progress }) {
    const traces = await readRecordedTraces();
    const count = sizes[size];
    const single = singleCauses(traces, count);
    progress(0.6, "one cause");
    const double = doubleCauses(traces, Math.round(count / 4));
    progress(0.8, "two causes");
    const { nothing, alike } = noCauses(traces, Math.round(count / 3));
    const share = (of: readonly Verdict[], is: (verdict: Verdict) => boolean) =>
      of.length > 0 ? of.filter(is).length / of.length : null;
    const bands = [
      ["all", single],
      ["effect 10 to 20 %", single.filter(({ effect }) => effect < 0.2)],
      ["effect 20 to 50 %", single.filter(({ effect }) => effect >= 0.2 && effect < 0.5)],
      ["effect above 50 %", single.filter(({ effect }) => effect >= 0.5)],
      ...incidentKinds.map((kind) => [kind, single.filter((verdict) => verdict.kind === kind)] as const),
    ] as const;
    return {
      tables: [
        {
          title: "One cause: the slice named first has 99 % of its money in common with the one that was changed",
          columns: [
            { title: "incidents" },
            { title: "number", digits: 0 },
            { title: "right", digits: 3 },
            { title: "none named", digits: 3 },
          ],
          rows: bands.map(([name, of]) => [
            name,
            of.length,
            share(of, ({ top }) => top),
            share(of, ({ named }) => named === 0),
          ]),
          notes: [
            "Half of the hours in recorded order, with their real drift; an incident changes spend by 10 % and twice that drift at least. Effect: over what the hour would have cost.",
          ],
        },
        {
          title: "Two causes at once, and none",
          columns: [
            { title: "changes" },
            { title: "number", digits: 0 },
            { title: "first right", digits: 3 },
            { title: "all right", digits: 3 },
            { title: "some slice named", digits: 3 },
          ],
          rows: [
            [
              "two at once, each a quarter or more",
              double.length,
              share(double, ({ top }) => top),
              share(double, ({ all }) => all),
              share(double, ({ named }) => named > 0),
            ],
            ["nothing done", nothing.length, null, null, share(nothing, ({ named }) => named > 0)],
            ["every call more often, alike", alike.length, null, null, share(alike, ({ named }) => named > 0)],
          ],
          notes: [],
        },
      ],
      plots: [],
    };
  },
};
