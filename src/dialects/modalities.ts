/** Which tokens of a call are no text, as far as a producer tells. */

import { type Modalities, modalityBuckets, type Usage } from "../model/usage.ts";

/** Counts as reported; undefined where not reported. Input holds what was read from a cache, too. */
export type ReportedModalities = { readonly [name in keyof Modalities]: number | undefined };

/**
 * The counts as subsets of the buckets of `usage`; null where there are none. What does not fit into uncached input came
 * from the cache; beyond that a count is cut to what its bucket holds.
 */
export function modalitiesOf(reported: ReportedModalities, usage: Usage): Modalities | null {
  if (!isAnyOf(reported)) return null;
  const audio = inputOf(reported.audioInput, reported.audioCacheRead, usage);
  const audioOutput = Math.min(reported.audioOutput ?? 0, usage.output);
  // Sound and pictures share the buckets.
  const left: Usage = {
    ...usage,
    input: usage.input - audio.input,
    cacheRead: usage.cacheRead - audio.cacheRead,
    output: usage.output - audioOutput,
  };
  const image = inputOf(reported.imageInput, reported.imageCacheRead, left);
  const found: Modalities = {
    audioInput: audio.input,
    audioCacheRead: audio.cacheRead,
    audioOutput,
    imageInput: image.input,
    imageCacheRead: image.cacheRead,
    imageOutput: Math.min(reported.imageOutput ?? 0, left.output),
  };
  return modalityNames.some((name) => found[name] > 0) ? found : null;
}

/** Without a list or a closure: it is asked for every call, and hardly any has one. */
function isAnyOf(reported: ReportedModalities): boolean {
  const { audioInput, audioCacheRead, audioOutput, imageInput, imageCacheRead, imageOutput } = reported;
  return !!(audioInput || audioCacheRead || audioOutput || imageInput || imageCacheRead || imageOutput);
}

const modalityNames = Object.keys(modalityBuckets) as readonly (keyof Modalities)[];

function inputOf(all: number | undefined, cached: number | undefined, { input, cacheRead }: Usage) {
  const read = Math.min(cached ?? 0, cacheRead);
  const rest = Math.max(0, (all ?? 0) - read);
  const uncached = Math.min(rest, input);
  return { input: uncached, cacheRead: Math.min(cacheRead, read + rest - uncached) };
}

/** Adds what a producer reports beside its input and output instead of within them. */
export function withModalities(usage: Usage, reported: ReportedModalities): Usage {
  const cached = (reported.audioCacheRead ?? 0) + (reported.imageCacheRead ?? 0);
  return {
    ...usage,
    input: usage.input + Math.max(0, (reported.audioInput ?? 0) + (reported.imageInput ?? 0) - cached),
    cacheRead: usage.cacheRead + cached,
    output: usage.output + (reported.audioOutput ?? 0) + (reported.imageOutput ?? 0),
  };
}
