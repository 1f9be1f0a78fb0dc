/** The list of detectors, in the order of the catalogue. Adding one is a file and a line here. */

import { cacheCollapse } from "./cache-collapse.ts";
import { callCostShift } from "./call-cost-shift.ts";
import type { Detector } from "./detector.ts";
import { duplicatePrompts } from "./duplicate-prompts.ts";
import { energy } from "./energy.ts";
import { goneQuiet } from "./gone-quiet.ts";
import { modelMix } from "./model-mix.ts";
import { priceDrift } from "./price-drift.ts";
import { promptRegression } from "./prompt-regression.ts";
import { rateShift } from "./rate-shift.ts";
import { reasoningExplosion } from "./reasoning-explosion.ts";
import { requestRate } from "./request-rate.ts";
import { retryStorm } from "./retry-storm.ts";
import { runCost } from "./run-cost.ts";
import { runawayRun } from "./runaway-run.ts";
import { shapeShift } from "./shape-shift.ts";
import { silentFallback } from "./silent-fallback.ts";
import { slowDrift } from "./slow-drift.ts";
import { spend } from "./spend.ts";
import { stuckStream } from "./stuck-stream.ts";
import { tokenShift } from "./token-shift.ts";
import { truncation } from "./truncation.ts";

export const detectors: readonly Detector[] = [
  tokenShift,
  callCostShift,
  rateShift,
  spend,
  requestRate,
  shapeShift,
  slowDrift,
  goneQuiet,
  runawayRun,
  retryStorm,
  runCost,
  cacheCollapse,
  silentFallback,
  modelMix,
  reasoningExplosion,
  truncation,
  duplicatePrompts,
  stuckStream,
  promptRegression,
  energy,
  priceDrift,
];
