/** The list of detectors, in the order of the catalogue. Adding one is a file and a line here. */

import type { Detector } from "./detector.ts";
import { spend } from "./spend.ts";

export const detectors: readonly Detector[] = [spend];
