/** OTLP in, answers and alerts out, against a real server process; and what each stage of it costs. */

import { measureAlertDelay } from "./alert-delay.ts";
import type { Bench } from "./bench.ts";
import { measurePaced } from "./paced.ts";
import { measureStages } from "./stages.ts";
import { measureThroughput } from "./throughput.ts";

export const endToEnd: Bench = {
  name: "end-to-end",
  summary: "spans/s, ack latency, CPU per span and stage, span to alert, on a real server",
  async run(options) {
    const { table, serverCpuUs } = await measureThroughput(options);
    return [
      table,
      await measurePaced(options),
      await measureStages(options, serverCpuUs),
      await measureAlertDelay(options),
    ];
  },
};
