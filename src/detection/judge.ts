/** What judges the entries of the usage log: here, or in a thread of its own, where its work keeps nobody waiting. */

import { Worker } from "node:worker_threads";
import { detectors } from "../../detectors/detectors.ts";
import { CorruptEntry, OtherVersionEntry } from "../event-log/unreadable-entry.ts";
import type { EnergyReading } from "../model/energy-reading.ts";
import type { ClaimName, Finding, IncidentName } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { DetectorChoices } from "./detector-plan.ts";
import { differences } from "./differences.ts";
import { Watcher } from "./watcher.ts";

/** One entry of the usage log: records that arrived together, or none, when it tells the time and what somebody said. */
export interface WatchedEntry {
  readonly arrivedAtMs: number;
  readonly records: readonly UsageRecord[];
  readonly accepted?: readonly IncidentName[];
  /** In a cluster, what such incidents were made of. */
  readonly relearnt?: readonly ClaimName[];
  readonly readings?: readonly EnergyReading[];
}

export interface LoggedEntry {
  readonly offset: number;
  readonly payload: Uint8Array;
}

export interface JudgeOptions {
  /** What the operator says about single detectors. */
  readonly choices: DetectorChoices;
  /** Series kept at most, and as many runs, sessions and users; the smallest are forgotten first. */
  readonly seriesMax: number;
}

/** Asked for one thing at a time. */
export interface Judge<Told = Finding> {
  /** Judges entries in the order of the log. @returns what is to be told of each: findings, where nothing else is said. */
  judge(entries: readonly LoggedEntry[]): Promise<readonly (readonly Told[])[]>;
  /** Everything that findings to come depend on. */
  snapshot(): Promise<Uint8Array>;
  seriesCount(): number;
  close(): Promise<void>;
}

/** Opens a judge where a snapshot left off. */
export type OpenJudge<Told = Finding> = (snapshot: Uint8Array | undefined) => Judge<Told>;

/** An entry that no version can have written. */
export interface UnreadableEntry {
  readonly payload: Uint8Array;
  readonly reason: string;
}

/** What is told of an entry: by `read`, or by `otherwise` where nobody can read it. What a newer version wrote is thrown on. */
export function readable<Told>(
  payload: Uint8Array,
  read: () => Told,
  otherwise: (unreadable: UnreadableEntry) => Told,
): Told {
  try {
    return read();
  } catch (error) {
    if (error instanceof CorruptEntry) return otherwise({ payload, reason: error.message });
    throw error;
  }
}

/** A judge in this thread. */
export function judgeHere(
  { choices, seriesMax }: JudgeOptions,
  decode: (offset: number, payload: Uint8Array) => WatchedEntry,
): OpenJudge {
  return (snapshot) => {
    const watcher = new Watcher({ detectors, choices, limits: { seriesMax, passingMax: seriesMax } }, snapshot);
    const judgeEntry = ({ arrivedAtMs, records, accepted = [], readings = [] }: WatchedEntry): Finding[] => {
      const findings = accepted.flatMap((name) => watcher.accept(name, arrivedAtMs));
      for (const reading of readings) findings.push(...watcher.measure(reading, arrivedAtMs));
      if (records.length === 0) return findings.concat(watcher.tick(arrivedAtMs));
      for (const record of differences(records)) {
        for (const finding of watcher.observe(record, arrivedAtMs)) findings.push(finding);
      }
      return findings;
    };
    return {
      judge: async (entries) => entries.map(({ offset, payload }) => judgeEntry(decode(offset, payload))),
      snapshot: async () => watcher.snapshot(),
      seriesCount: () => watcher.seriesCount,
      close: async () => {},
    };
  };
}

/** What is said to a thread, and what it says; the same number of answers as of questions, in their order. Errors lose their kind on the way, so it is said. */
export type ToJudge =
  | { readonly kind: "judge"; readonly entries: readonly LoggedEntry[] }
  | { readonly kind: "snapshot" };
export type FromJudge<Told = unknown> =
  | { readonly kind: "judged"; readonly told: readonly (readonly Told[])[]; readonly seriesCount: number }
  | { readonly kind: "snapshot"; readonly snapshot: Uint8Array }
  | { readonly kind: "failed"; readonly message: string; readonly isOtherVersion: boolean };

/** What a thread is started with. */
export interface JudgeThreadData extends JudgeOptions {
  readonly snapshot: Uint8Array | undefined;
}

/** A judge in a thread of its own. @param script answers `ToJudge` with `FromJudge`, about what `options` say. */
export function judgeInThread<Told = Finding>(options: JudgeOptions, script: URL): OpenJudge<Told> {
  return (snapshot) => {
    const workerData: JudgeThreadData = { ...options, snapshot };
    const thread = new Worker(script, { workerData, name: "detectors" });
    let seriesCount = 0;
    let asked: PromiseWithResolvers<FromJudge<Told>> | undefined;
    let ended: Error | undefined;
    // Whatever ends the thread ends the question at hand, and every one after it.
    const end = (error: Error) => {
      ended ??= error;
      asked?.reject(ended);
    };
    thread.on("error", end);
    thread.on("exit", (code) => end(new Error(`the thread of the detectors ended with code ${code}`)));
    thread.on("message", (answer: FromJudge<Told>) => {
      if (answer.kind === "failed")
        end(answer.isOtherVersion ? new OtherVersionEntry(answer.message) : new Error(answer.message));
      else asked?.resolve(answer);
    });
    const ask = (question: ToJudge): Promise<FromJudge<Told>> => {
      if (ended !== undefined) return Promise.reject(ended);
      asked = Promise.withResolvers<FromJudge<Told>>();
      thread.postMessage(question);
      return asked.promise;
    };
    return {
      async judge(entries) {
        const answer = await ask({ kind: "judge", entries });
        if (answer.kind !== "judged") throw new Error(`the thread of the detectors answered ${answer.kind}`);
        seriesCount = answer.seriesCount;
        return answer.told;
      },
      async snapshot() {
        const answer = await ask({ kind: "snapshot" });
        if (answer.kind !== "snapshot") throw new Error(`the thread of the detectors answered ${answer.kind}`);
        return answer.snapshot;
      },
      seriesCount: () => seriesCount,
      close: async () => void (await thread.terminate()),
    };
  };
}
