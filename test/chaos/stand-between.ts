/** Stands between the pipeline and its real adapters: failpoints, mutations, and a journal of what the log forgets. */

import { randomUUID } from "node:crypto";
import type { EventLog } from "../../src/event-log/event-log.ts";
import type { UsageLog } from "../../src/event-log/usage-log.ts";
import type { Store } from "../../src/store/store.ts";
import type { Journal } from "./journal.ts";
import type { Failpoint, Step } from "./places.ts";

/** A deliberate mistake that the harness must notice. */
export type Mutation = "no-token" | "no-plan" | "ack-before-fsync" | "index-dropped" | "offset-before-insert";

export interface Between {
  readonly failpoint: Failpoint | null;
  readonly mutation: Mutation | null;
  readonly journal: Journal;
}

export interface Adapters {
  readonly spans: EventLog;
  readonly usage: UsageLog;
  readonly store: Store;
}

export type Passing = <Result>(step: Step, work: () => Promise<Result>) => Promise<Result>;

interface WriterMark {
  readonly plan?: { readonly to: number } | null;
}

/** How long a mutated append acknowledges ahead of the disk. */
const ackedEarlyMs = 40;

/** The same adapters, dying and lying as told. */
export function standBetween(real: Adapters, { failpoint, mutation, journal }: Between): Adapters {
  const pass = passing(failpoint);
  const append = mutation === "ack-before-fsync" ? appendLater(real.spans) : bound(real.spans, "append");
  const entries = over(real.usage.entries, {
    trim: (offset) => {
      if (offset <= real.usage.entries.trimmedOffset()) return Promise.resolve();
      journal.keep(real.usage.entries, offset);
      return pass("usage.trim", () => real.usage.entries.trim(offset));
    },
  });
  return {
    spans: over(real.spans, {
      append: (payload) => pass("spans.append", () => append(payload)),
      trim: (offset) => pass("spans.trim", () => real.spans.trim(offset)),
    }),
    usage: over(real.usage, {
      entries,
      commit: (step) => pass("usage.commit", () => real.usage.commit(step)),
      saveMark: (name, value) => {
        const step = stepOf(name, value);
        const save = () => saveMark(real.usage, name, value, mutation);
        return step === undefined ? save() : pass(step, save);
      },
      ...(mutation === "index-dropped" ? { memory: forgetful(real.usage.memory) } : {}),
    }),
    store: over(real.store, {
      insert: (batch) => {
        const token = mutation === "no-token" ? `${batch.token}-${randomUUID()}` : batch.token;
        return pass("store.insert", () => real.store.insert({ ...batch, token }));
      },
    }),
  };
}

/** A trace of its own for each question: nothing of a span is known to the next that asks. */
function forgetful(memory: UsageLog["memory"]): UsageLog["memory"] {
  return over(memory, { trace: (key) => ({ ...key, spans: new Map() }) });
}

/** `target` with some methods replaced; all others, also those that are added to the contract one day, are its own. */
export function over<Target extends object>(target: Target, replaced: Partial<Target>): Target {
  return new Proxy(target, {
    get(from, name) {
      if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(from, name, from);
      // Private fields are of the real object: its methods must not see the proxy as `this`.
      return typeof value === "function" ? value.bind(from) : value;
    },
  });
}

function bound(log: EventLog, name: "append"): EventLog["append"] {
  return log[name].bind(log);
}

/** Counts the passings of the failpoint's step, and dies at the one that is meant. */
export function passing(failpoint: Failpoint | null): Passing {
  let passings = 0;
  return async (step, work) => {
    if (step !== failpoint?.step || ++passings !== failpoint.passing) return work();
    if (failpoint.phase === "before") die();
    if (failpoint.phase === "began") setTimeout(die, failpoint.delayMs);
    const result = await work();
    if (failpoint.phase === "after") die();
    return result;
  };
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

function stepOf(mark: string, value: unknown): Step | undefined {
  if (mark === "writer") return (value as WriterMark).plan == null ? "offset.save" : "plan.save";
  if (mark === "detection") return "detection.save";
  return mark === "alerts" ? "alerts.save" : undefined;
}

function saveMark(usage: UsageLog, name: string, value: unknown, mutation: Mutation | null): Promise<void> {
  const plan = name === "writer" ? (value as WriterMark).plan : null;
  if (plan != null && mutation === "no-plan") return Promise.resolve();
  if (plan != null && mutation === "offset-before-insert") return usage.saveMark(name, { offset: plan.to, plan: null });
  return usage.saveMark(name, value);
}

/** Answers at once with the offset that the entry will have, and writes it a little later, in order. */
function appendLater(log: EventLog): EventLog["append"] {
  let promised = log.lastOffset();
  return async (payload) => {
    // The caller's buffer may be used again once it has its answer.
    const kept = Uint8Array.from(payload);
    setTimeout(() => void log.append(kept), ackedEarlyMs);
    return ++promised;
  };
}
