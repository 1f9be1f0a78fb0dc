/**
 * All findings over two recorded hours with incidents in them, as they were on the day that is written below: whoever makes
 * detectors faster changes none of them, to the last digit. Whoever changes what they find writes the new ones with
 * `BURNWATCH_WRITE_FINDINGS=1`, and says why in the commit.
 */

import { hash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { detectors } from "../detectors/detectors.ts";
import { arrivalsOf, backtest } from "../src/detection/backtest.ts";
import type { UsageRecord } from "../src/model/usage-record.ts";
import { PriceBook } from "../src/pricing/price-book.ts";
import { parseIncidents } from "../src/replay/inject/incidents.ts";
import { inject } from "../src/replay/inject/inject.ts";
import { readTrace } from "../src/replay/read-trace.ts";
import { replayIds } from "../src/replay/replay-ids.ts";
import { usageOfCall } from "../src/replay/usage-of-call.ts";

const kept = new URL("fixtures/findings-of-recorded-hours.txt", import.meta.url);

const hours = [
  {
    file: "AzureLLMInferenceTrace_conv.csv.gz",
    incidents: `incidents:
  - { kind: cache_break, from: "-28m", until: "-18m", cached: 0.1, baseline_cached: 0.9 }
  - { kind: retry_storm, from: "-13m", until: "-8m", attempts: 4, share: 0.6 }
  - { kind: loop, from: "-38m", until: "-30m", calls_per_minute: 60, input_growth_tokens: 900 }
`,
  },
  {
    file: "AzureLLMInferenceTrace_code.csv.gz",
    incidents: `incidents:
  - { kind: token_shift, from: "-32m", until: "-22m", input_factor: 3 }
  - { kind: model_fallback, from: "-15m", until: "-5m", to: o1, share: 0.5 }
`,
  },
];

/** The calls of an hour, dealt out over tenants, features, runs, prompts, instances and a few whole prompts. */
async function recordsOf({ file, incidents }: (typeof hours)[number]): Promise<UsageRecord[]> {
  const trace = await readTrace({ file: new URL(`../src/replay/data/${file}`, import.meta.url).pathname });
  const zeroUs = trace.zeroUs ?? 0;
  const list = parseIncidents(incidents, file).incidents;
  const ids = replayIds({ fileHash: "f", injectHash: "i", salt: "s" });
  const prices = new PriceBook();
  return inject(trace.calls, { incidents: list, seed: "seed", zeroUs: trace.zeroUs }).map((call, index) => {
    const record = usageOfCall(call, { zeroUs, ids, prices, tenant: "acme" });
    const session = Math.floor(index / 7);
    return {
      ...record,
      tenant: index % 3 === 0 ? "acme" : `tenant ${index % 5}`,
      feature: record.feature || `feature ${index % 4}`,
      provider: record.provider || "openai",
      model: record.model || "gpt-4o",
      run: record.run || (index % 2 === 0 ? `run ${session}` : `single ${index}`),
      user: `user ${index % 97}`,
      session: `session ${session}`,
      promptName: `prompt ${index % 2}`,
      promptVersion: index > 6000 ? "8" : "7",
      instance: `instance ${index % 3}`,
      promptHash: hash("sha256", index % 6 === 0 ? `same ${index % 12}` : `${index}`).slice(0, 16),
      costNanoUsd: record.costNanoUsd ?? 2500 * record.usage.input + 10_000 * record.usage.output,
      reportedNanoUsd: index % 4 === 0 ? 3000 * record.usage.input + 10_000 * record.usage.output : null,
    };
  });
}

it("finds in two recorded hours what it found before", { timeout: 120_000 }, async () => {
  const lines: string[] = [];
  for (const hour of hours) {
    const options = { detectors, choices: {}, seriesMax: 5000 };
    const findings = [...backtest(arrivalsOf(await recordsOf(hour)), options)];
    lines.push(
      `${hour.file}: ${findings.length} findings, SHA-256 of them ${hash("sha256", JSON.stringify(findings))}`,
    );
    for (const { atMs, status, severity, detector, kind, series } of findings)
      lines.push(`${new Date(atMs).toISOString()} ${status} ${severity} ${detector} ${kind} ${JSON.stringify(series)}`);
  }
  if (process.env["BURNWATCH_WRITE_FINDINGS"] === "1") writeFileSync(kept, `${lines.join("\n")}\n`);
  expect(lines).toEqual(readFileSync(kept, "utf8").trimEnd().split("\n"));
});
