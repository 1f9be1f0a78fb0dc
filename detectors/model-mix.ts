/** L5: a feature's calls move to a dearer model than the one that answers most of them. */

import { miss, rateDetector } from "./rate-detector.ts";

/** The models of a feature, by how often they answered lately and what their calls cost. */
interface Mix {
  models: readonly string[];
  calls: number[];
  nanoUsd: number[];
}

const modelsMax = 8;
/** Counts are halved when they add up to this: the usual model is that of about so many calls. */
const callsMax = 4000;
/** A model is dearer when its call costs so many times that of the usual model. */
const dearer = 1.2;

export const modelMix = rateDetector<Mix>({
  id: "L5",
  name: "model-mix",
  summary: "a larger share of the calls goes to dearer models than the usual one",
  method:
    "Rate of calls by models whose mean call costs 1.2 times that of the feature's most frequent model, or more. Shiryaev-Roberts over Bernoulli likelihood ratios, as D2.",
  kind: "model_mix_shift",
  words: "calls of dearer models are",
  scopes: ["feature"],
  mode: "ticket",
  stateBytesMax: 4096,
  newMemory: () => ({ models: [], calls: [], nanoUsd: [] }),
  ask({ record, failed, nanoUsd }, mix) {
    if (failed || nanoUsd === null || record.model === "") return null;
    const usual = mostFrequent(mix);
    const usualNanoUsd = mix.nanoUsd[usual] ?? nanoUsd;
    const own = note(mix, record.model, nanoUsd, usual);
    const hit = usual !== -1 && own !== usual && (mix.nanoUsd[own] ?? 0) > dearer * usualNanoUsd;
    return hit ? { hit, nanoUsd: Math.max(0, nanoUsd - usualNanoUsd) } : miss;
  },
});

function mostFrequent({ calls }: Mix): number {
  let best = calls.length === 0 ? -1 : 0;
  for (let index = 1; index < calls.length; index++) if ((calls[index] ?? 0) > (calls[best] ?? 0)) best = index;
  return best;
}

/** Counts a call of a model; a new one takes the place of the rarest, never of the usual. @returns its place. */
function note(mix: Mix, model: string, nanoUsd: number, usual: number): number {
  let at = mix.models.indexOf(model);
  if (at === -1) {
    at = mix.models.length < modelsMax ? mix.models.length : rarest(mix, usual);
    // New arrays: one that grows in place has room for seventeen.
    mix.models = mix.models.toSpliced(at, 1, model.slice(0, 128));
    mix.calls = mix.calls.toSpliced(at, 1, 0);
    mix.nanoUsd = mix.nanoUsd.toSpliced(at, 1, 0);
  }
  const calls = (mix.calls[at] ?? 0) + 1;
  mix.calls[at] = calls;
  mix.nanoUsd[at] = (mix.nanoUsd[at] ?? 0) + (nanoUsd - (mix.nanoUsd[at] ?? 0)) / Math.min(calls, 200);
  if (calls >= callsMax)
    for (let index = 0; index < mix.calls.length; index++) mix.calls[index] = (mix.calls[index] ?? 0) / 2;
  return at;
}

function rarest({ calls }: Mix, except: number): number {
  let best = except === 0 ? 1 : 0;
  for (let index = 0; index < calls.length; index++) {
    if (index !== except && (calls[index] ?? 0) < (calls[best] ?? 0)) best = index;
  }
  return best;
}
