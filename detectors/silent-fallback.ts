/** L5: another model answers than the one that was asked, and nobody said so. */

import { miss, rateDetector } from "./rate-detector.ts";

/** What a call of the model that was asked costs. */
interface Usual {
  nanoUsd: number;
  calls: number;
}

const memoryCalls = 200;

export const silentFallback = rateDetector<Usual>({
  id: "L5",
  name: "silent-fallback",
  summary: "another model answers than the one that was asked for",
  method:
    "Rate of answers by a model whose name neither begins with the requested one nor is its beginning; a hit costs what it costs beyond the usual call. Shiryaev-Roberts over Bernoulli likelihood ratios, as D2.",
  kind: "silent_fallback",
  words: "answers of another model than requested are",
  scopes: ["feature"],
  mode: "page",
  stateBytesMax: 4096,
  newMemory: () => ({ nanoUsd: 0, calls: 0 }),
  ask({ record, failed, nanoUsd }, usual) {
    const { model, requestModel } = record;
    if (failed || model === "" || requestModel === "") return null;
    const hit = model !== requestModel && !wasSameModel(model, requestModel);
    if (!hit && nanoUsd !== null) {
      usual.calls = Math.min(memoryCalls, usual.calls + 1);
      usual.nanoUsd += (nanoUsd - usual.nanoUsd) / usual.calls;
    }
    return hit ? { hit, nanoUsd: nanoUsd === null ? 0 : Math.max(0, nanoUsd - usual.nanoUsd) } : miss;
  },
});

/** What names were compared with before, by the answering model and the requested one: every call repeats a few. */
const compared = new Map<string, Map<string, boolean>>();
const comparedMax = 1000;

function wasSameModel(model: string, requestModel: string): boolean {
  let answers = compared.get(model);
  if (answers === undefined) {
    if (compared.size >= comparedMax) compared.clear();
    answers = new Map();
    compared.set(model, answers);
  }
  const known = answers.get(requestModel);
  if (known !== undefined) return known;
  if (answers.size >= comparedMax) answers.clear();
  const isSame = isSameModel(model, requestModel);
  answers.set(requestModel, isSame);
  return isSame;
}

/** `gpt-4o` answers as `gpt-4o-2024-08-06`, `openai/gpt-4o` as `gpt-4o`; `gpt-4o-mini` is another model than `gpt-4o`. */
export function isSameModel(model: string, requestModel: string): boolean {
  const [one, two] = [bare(model), bare(requestModel)];
  if (one === two) return true;
  const [short, long] = one.length < two.length ? [one, two] : [two, one];
  // What follows the name may be a date or a version, but no word that makes it another model.
  return long.startsWith(short) && /^[-@:.]v?\d[\w.:-]*$/.test(long.slice(short.length));
}

function bare(name: string): string {
  return name
    .toLowerCase()
    .slice(name.lastIndexOf("/") + 1)
    .replace(/[-@:]latest$/, "");
}
