/** The peers that the detectors are measured against. */

import { adwin } from "./adwin.ts";
import type { Baseline } from "./baseline.ts";
import { cusum, ewmaLog, ewmaRaw, pageHinkley, rollingSigma } from "./moments.ts";
import { kswin, madLog, relativeEntropy } from "./windows.ts";

export const baselines: readonly Baseline[] = [
  rollingSigma,
  madLog,
  ewmaRaw,
  ewmaLog,
  pageHinkley,
  cusum,
  adwin,
  kswin,
  relativeEntropy,
];
