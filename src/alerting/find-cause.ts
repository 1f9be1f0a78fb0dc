/**
 * Why the spend behind an alert changed: two periods of the store are compared, and the change is said as annotations. The
 * store is slower than the detector and may be wrong or away: whatever it does, there is an answer, and it says so.
 */

import { type ChangeExplanation, explainChange } from "../../detectors/cause/explain-change.ts";
import type { SpendTable } from "../../detectors/cause/spend-table.ts";
import type { Alert } from "../model/finding.ts";
import { explainCause, sayFactors } from "./explain-cause.ts";

/** Unix milliseconds, from inclusive to exclusive. */
export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is asked of the store. `where` holds dimensions and their values, as the alert's labels do. */
export interface StoredSpend {
  change(where: Readonly<Record<string, string>>, before: Period, after: Period): Promise<SpendTable>;
  /** The end of the last such call of the period, in Unix milliseconds; null where there is none. */
  lastCallMs(where: Readonly<Record<string, string>>, period: Period): Promise<number | null>;
  /** Whether everything up to this offset of the usage log is stored. */
  holds(offset: number): boolean;
}

/** An alert, and as far as which entry of the usage log and which time the detector had read when it spoke. */
export interface CauseQuestion {
  readonly alert: Alert;
  readonly offset: number;
  readonly spokenAtMs: number;
}

/** What was found, or why nothing was. */
export interface Cause {
  readonly annotations: Readonly<Record<string, string>>;
  readonly isKnown: boolean;
  /** As far as which time of the detector it was asked for. */
  readonly spokenAtMs: number;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const weekMs = 7 * dayMs;
/** What came before an incident of a minute is as long as this: a minute says little of what is usual. */
const beforeMsMin = 15 * minuteMs;
/** Of a longer incident or drift its last day is explained. */
const afterMsMax = dayMs;
/** From this length on an hour is compared with the same hour of a week ago, where that is stored. */
const seasonedFromMs = 2 * hourMs;
/** Calls that ended longer before the alert than this end the period: the rest has not arrived, or nothing came. */
const quietMsMax = minuteMs;
/** A busy store is asked for what it has by then; where that is nothing of the incident, it is waited for. */
const storedSoonMs = 300;
const storedWithinMs = 20_000;
const storedPollMs = 25;
const errorLengthMax = 160;

/** Whether the calls of two periods can say why: not of a single run, nor of a price that differs from the list's. */
export function hasCause({ kind, labels, impactNanoUsd }: Alert): boolean {
  const single = labels["run"] !== undefined || labels["session"] !== undefined;
  return impactNanoUsd > 0 && !single && kind !== "price_drift";
}

/** Never rejects: what stands in the way is the answer. Ends within about half a minute. */
export async function findCause(question: CauseQuestion, store: StoredSpend): Promise<Cause> {
  try {
    const isCurrent = await isStored(question.offset, store, storedSoonMs);
    const cause = await compared(question, store);
    if (cause !== null) return cause;
    if (!isCurrent && !(await isStored(question.offset, store, storedWithinMs)))
      return unknownCause(question, "the store is still behind what the detector has read");
    return (await compared(question, store)) ?? unknownCause(question, "the store has no calls of it since its onset");
  } catch (error) {
    const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    return unknownCause(question, `the store answered: ${line.slice(0, errorLengthMax)}`);
  }
}

/** Said instead of a cause. The next telling of the incident asks again. */
export function unknownCause({ spokenAtMs }: CauseQuestion, reason: string): Cause {
  return { annotations: { cause: `not known: ${reason}` }, isKnown: false, spokenAtMs };
}

async function isStored(offset: number, store: StoredSpend, withinMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + withinMs;
  while (!store.holds(offset)) {
    if (performance.now() >= deadlineMs) return false;
    await new Promise((resolve) => setTimeout(resolve, storedPollMs));
  }
  return true;
}

async function compared({ alert, spokenAtMs }: CauseQuestion, store: StoredSpend): Promise<Cause | null> {
  const { alertname: _alertname, ...where } = alert.labels;
  const endMs = (alert.endsAtMs ?? spokenAtMs) + 1;
  const fromMs = Math.max(alert.startsAtMs, endMs - afterMsMax);
  const lastMs = await store.lastCallMs(where, { fromMs, toMs: endMs });
  if (lastMs === null) return null;
  const after = { fromMs, toMs: endMs - lastMs > quietMsMax ? lastMs + 1 : endMs };
  const { before, against } = await usual({ startsAtMs: alert.startsAtMs, where, after }, store);
  const lengthMs = after.toMs - after.fromMs;
  const explanation = explainChange(await store.change(where, before, after), lengthMs / (before.toMs - before.fromMs));
  return {
    annotations: {
      cause: explainCause(explanation, lengthMs / hourMs),
      cause_dollars: dollarsOf(explanation),
      cause_compared: `${shown(after)} with ${against}, ${shown(before)}`,
    },
    isKnown: true,
    spokenAtMs,
  };
}

interface Incident {
  readonly startsAtMs: number;
  readonly where: Readonly<Record<string, string>>;
  readonly after: Period;
}

/** What the incident's period is compared with, and how that is called. */
async function usual({ startsAtMs, where, after }: Incident, store: StoredSpend) {
  const lengthMs = after.toMs - after.fromMs;
  const weekAgo = { fromMs: after.fromMs - weekMs, toMs: after.toMs - weekMs };
  if (lengthMs >= seasonedFromMs && (await store.lastCallMs(where, weekAgo)) !== null)
    return { before: weekAgo, against: "the same time a week before" };
  const before = { fromMs: startsAtMs - Math.max(lengthMs, beforeMsMin), toMs: startsAtMs };
  return { before, against: "the time before its onset" };
}

/** The whole change by factor, then each slice's: every line sums to the cent. */
function dollarsOf({ whole, causes }: ChangeExplanation): string {
  return [sayFactors(whole), ...causes.map(({ split, names }) => sayFactors(split, names))].join("; ");
}

function shown({ fromMs, toMs }: Period): string {
  return `${new Date(fromMs).toISOString()} to ${new Date(toMs).toISOString()}`;
}
