/** L9: answers that never come or break off: empty though the input was billed, cut off by the client, or stuck for minutes. */

import { miss, rateDetector } from "./rate-detector.ts";

/** A running estimate of the logarithm of the duration that 99 of 100 calls stay below, in milliseconds. */
interface Slowest {
  log: number;
  calls: number;
}

const stuckMsMin = 30_000;
const stuckFactor = 6;
const callsMin = 100;
const step = 0.05;

/** The dialect says so where the emitter saw the stream end before its last chunk. */
export const cutOffFlag = "answer_cut_off";

export const stuckStream = rateDetector<Slowest>({
  id: "L9",
  name: "stuck-stream",
  summary: "answers stay empty, break off, or take six times longer than the slowest usual ones",
  method:
    "Rate of answers without a token though input was billed, of streams that ended before their last chunk, and of calls beyond 30 s and 6 times the running 99 % quantile of the duration. Shiryaev-Roberts over Bernoulli likelihood ratios, as D2.",
  kind: "stuck_answers",
  words: "empty or stuck answers are",
  scopes: ["model"],
  mode: "ticket",
  stateBytesMax: 2048,
  newMemory: () => ({ log: 0, calls: 0 }),
  ask({ failed, inputTokens, outputTokens, durationMs, nanoUsd, record }, slowest) {
    if (failed || inputTokens === 0) return null;
    const stuck = slowest.calls >= callsMin && durationMs > Math.max(stuckMsMin, stuckFactor * Math.exp(slowest.log));
    learn(slowest, Math.max(1, durationMs));
    const empty = outputTokens === 0 && record.operation !== "embeddings" && record.operation !== "rerank";
    const hit = empty || stuck || record.flags.includes(cutOffFlag);
    return hit ? { hit, nanoUsd: nanoUsd ?? 0 } : miss;
  },
});

/** Moves up 99 times as far as down: it settles where one call in a hundred is longer. */
function learn(slowest: Slowest, durationMs: number): void {
  const log = Math.log(durationMs);
  slowest.log = slowest.calls === 0 ? log : slowest.log + step * (log > slowest.log ? 0.99 : -0.01);
  slowest.calls = Math.min(callsMin, slowest.calls + 1);
}
