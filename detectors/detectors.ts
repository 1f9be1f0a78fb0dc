/** The list of detectors, in the order of the catalogue. Adding one is a file and a line here. */

import { callCostShift } from "./call-cost-shift.ts";
import type { Detector } from "./detector.ts";
import { goneQuiet } from "./gone-quiet.ts";
import { rateShift } from "./rate-shift.ts";
import { requestRate } from "./request-rate.ts";
import { shapeShift } from "./shape-shift.ts";
import { slowDrift } from "./slow-drift.ts";
import { spend } from "./spend.ts";
import { tokenShift } from "./token-shift.ts";

export const detectors: readonly Detector[] = [
  tokenShift,
  callCostShift,
  rateShift,
  spend,
  requestRate,
  shapeShift,
  slowDrift,
  goneQuiet,
];
