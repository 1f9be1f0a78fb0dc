/** A spend incident of its own tenant, which must raise exactly one alert: calm minutes, then some enormous calls. */

import type { Random } from "../../src/ingest/otlp-random.ts";
import { postUntilAcked } from "../support/load.ts";
import { type ChaosSpan, chaosSpan, requestOf } from "./chaos-span.ts";
import type { Ledger } from "./ledger.ts";

/** Smallest excess that the server under attack shall alert on: far above what the rest of the load spends. */
export const excessUsdPerMinuteMin = 100;

const calmMinutes = 20;
const minuteMs = 60_000;
/** One dollar, and fifty. */
const [calmTokens, hugeTokens] = [400_000, 20_000_000];
const hugeCalls = 6;

/** Sends the calm minutes, then the incident, each until it is acknowledged. */
export async function sendIncident(
  tenant: string,
  { ledger, tracesUrl, random }: { readonly ledger: Ledger; readonly tracesUrl: string; readonly random: Random },
): Promise<void> {
  const nowMs = Date.now();
  const call = (atMs: number, input: number) =>
    chaosSpan({ producer: "", sequence: 0, tenant, feature: "incident", atMs, input, output: 1 }, random);
  const calm = Array.from({ length: calmMinutes }, (_, index) =>
    call(nowMs - (calmMinutes - index) * minuteMs, calmTokens),
  );
  const huge = Array.from({ length: hugeCalls }, () => call(nowMs, hugeTokens));
  for (const spans of [calm, huge]) await send(spans, ledger, tracesUrl);
}

async function send(spans: readonly ChaosSpan[], ledger: Ledger, tracesUrl: string): Promise<void> {
  ledger.sent(spans);
  await postUntilAcked(tracesUrl, requestOf(spans));
  ledger.acked(spans);
}
