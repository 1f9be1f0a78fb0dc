/** The list of evaluations, in the order in which all of them run. Adding one is a file and a line here. */

import type { Evaluation } from "./eval.ts";
import { incidents } from "./incidents.ts";
import { shifts } from "./shifts.ts";
import { theorem } from "./theorem.ts";
import { week } from "./week.ts";

export const evaluations: readonly Evaluation[] = [theorem, shifts, incidents, week];
