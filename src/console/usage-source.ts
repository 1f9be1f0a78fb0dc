/** Recorded usage for commands that judge it without a server: a trace file, with incidents put into it where asked. */

import type { Label } from "../detection/backtest.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { PriceBook } from "../pricing/price-book.ts";
import { readIncidents } from "../replay/inject/incidents.ts";
import { incidentSpans, inject } from "../replay/inject/inject.ts";
import { readTrace } from "../replay/read-trace.ts";
import { replayIds } from "../replay/replay-ids.ts";
import { usageOfCall } from "../replay/usage-of-call.ts";

export interface SourceOptions {
  readonly file: string;
  readonly format?: string | undefined;
  /** YAML file of incidents; each is a label. */
  readonly inject?: string | undefined;
  readonly tenant?: string | undefined;
  readonly salt: string;
  readonly skipBad: boolean;
}

export interface UsageSource {
  /** In the order of their ends. */
  readonly records: readonly UsageRecord[];
  readonly labels: readonly Label[];
}

/** Traces without dates are placed so that they end here. */
const undatedEndUs = Date.UTC(2026, 0, 5) * 1000;

/** @throws ReplayError when the file or the incidents cannot be used. */
export async function readUsage(options: SourceOptions): Promise<UsageSource> {
  const trace = await readTrace(options);
  const zeroUs = trace.zeroUs ?? undatedEndUs;
  const file = options.inject === undefined ? undefined : await readIncidents(options.inject);
  const injection = { incidents: file?.incidents ?? [], seed: file?.seed ?? options.salt, zeroUs: trace.zeroUs };
  const tenant = options.tenant ?? "default";
  const ids = replayIds({ fileHash: trace.fileHash, injectHash: file?.hash ?? "", salt: options.salt });
  const prices = new PriceBook();
  const calls = inject(trace.calls, injection);
  const lastUs = calls.at(-1)?.endUs ?? 0;
  // An incident that lasts from the first call on changes what is usual and nothing else.
  const labels = incidentSpans(trace.calls, injection)
    .filter(({ fromUs }) => fromUs > (trace.calls[0]?.startUs ?? 0))
    .map(({ fromUs, untilUs, where }) => ({
      series: { tenant, ...where },
      fromMs: (zeroUs + fromUs) / 1000,
      untilMs: (zeroUs + Math.min(untilUs, lastUs)) / 1000,
    }));
  return { records: calls.map((call) => usageOfCall(call, { zeroUs, ids, prices, tenant })), labels };
}
