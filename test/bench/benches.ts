/** The list of benches, in the order in which all of them run. Adding one is a file and a line here. */

import type { Bench } from "./bench.ts";
import { capacity } from "./capacity.ts";
import { cluster } from "./cluster.ts";
import { decode } from "./decode.ts";
import { detection } from "./detection.ts";
import { detectionStages } from "./detection-stages.ts";
import { endToEnd } from "./end-to-end.ts";
import { identity } from "./identity.ts";
import { ingest } from "./ingest.ts";
import { instrumentation } from "./instrumentation.ts";
import { profile } from "./profile.ts";
import { queries } from "./queries.ts";
import { start } from "./start.ts";

export const benches: readonly Bench[] = [
  decode,
  ingest,
  detection,
  detectionStages,
  endToEnd,
  cluster,
  capacity,
  identity,
  queries,
  start,
  instrumentation,
  profile,
];
