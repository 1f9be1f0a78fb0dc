/** The list of evaluations, in the order in which all of them run. Adding one is a file and a line here. */

import { causesEvaluation } from "./causes.ts";
import { energyEvaluation } from "./energy.ts";
import type { Evaluation } from "./eval.ts";
import { incidents } from "./incidents.ts";
import { loopsEvaluation } from "./loops.ts";
import { repeatsEvaluation } from "./repeats.ts";
import { shifts } from "./shifts.ts";
import { theorem } from "./theorem.ts";
import { wastesEvaluation } from "./wastes.ts";
import { week } from "./week.ts";

export const evaluations: readonly Evaluation[] = [
  theorem,
  shifts,
  incidents,
  week,
  loopsEvaluation,
  wastesEvaluation,
  repeatsEvaluation,
  energyEvaluation,
  causesEvaluation,
];
