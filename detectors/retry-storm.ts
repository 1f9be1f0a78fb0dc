/** L2: requests are tried again and again: each attempt that the provider has read is paid for. */

import type { Observation } from "./detector.ts";
import { type Answer, miss, rateDetector } from "./rate-detector.ts";

/** Calls that failed lately, by what a second attempt has in common with them. */
interface Failures {
  readonly keys: string[];
  readonly atMs: number[];
}

const failuresMax = 32;
const attemptMsMax = 120_000;

/** The dialect says so where the emitter numbers its attempts. */
export const repeatedAttemptFlag = "repeated_attempt";

export const retryStorm = rateDetector<Failures>({
  id: "L2",
  name: "retry-storm",
  summary: "calls are attempted again and again, each attempt paid for",
  method:
    "Rate of repeated attempts: those the emitter numbers, and calls of the trace, model and input of one that failed within two minutes. Shiryaev-Roberts over Bernoulli likelihood ratios, as D2.",
  kind: "retry_storm",
  words: "repeated attempts are",
  scopes: ["feature"],
  mode: "page",
  stateBytesMax: 8192,
  newMemory: () => ({ keys: [], atMs: [] }),
  ask(observation, failures) {
    const { record, failed, arrivedAtMs } = observation;
    const numbered = record.flags.includes(repeatedAttemptFlag);
    // Where nothing failed lately there is nothing to compare with, and most calls are spared the key.
    if (!failed && failures.keys.length === 0) return answer(numbered, observation);
    const key = keyOf(observation);
    const index = failures.keys.indexOf(key);
    const again = index !== -1 && arrivedAtMs - (failures.atMs[index] ?? 0) <= attemptMsMax;
    if (index !== -1) forget(failures, index);
    forgetUntil(failures, arrivedAtMs - attemptMsMax);
    if (failed) remember(failures, key, arrivedAtMs);
    return answer(again || numbered, observation);
  },
});

function answer(hit: boolean, { nanoUsd }: Observation): Answer {
  return hit ? { hit, nanoUsd: nanoUsd ?? 0 } : miss;
}

function keyOf({ record, inputTokens }: Observation): string {
  return `${record.traceId.slice(0, 32)} ${inputTokens} ${record.model.slice(0, 40)}`;
}

function remember(failures: Failures, key: string, atMs: number): void {
  if (failures.keys.length === failuresMax) forget(failures, 0);
  failures.keys.push(key);
  failures.atMs.push(atMs);
}

function forgetUntil(failures: Failures, atMs: number): void {
  while ((failures.atMs[0] ?? Number.POSITIVE_INFINITY) < atMs) forget(failures, 0);
}

function forget(failures: Failures, index: number): void {
  failures.keys.splice(index, 1);
  failures.atMs.splice(index, 1);
}
