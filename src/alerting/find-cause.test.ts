/** Causes out of the real engine: exact to the cent, against what the records here were made of. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { usageRecord } from "../../detectors/observation-samples.ts";
import type { Alert } from "../model/finding.ts";
import { priceTag } from "../model/price-tag.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { lastCallMs, spendChange } from "../query/spend-change.ts";
import { openEmbeddedStore } from "../store/embedded.ts";
import type { Store } from "../store/store.ts";
import { findCause, type StoredSpend } from "./find-cause.ts";

const minuteMs = 60_000;
const onsetMs = Date.UTC(2025, 10, 20, 10);
const weekMs = 7 * 86_400_000;
const [inputNano, cachedNano, outputNano] = [2500, 1250, 10_000];
const atto = 10n ** 9n;
const rates = { input: 2500n, cacheRead: 1250n, cacheWrite5m: 0n, cacheWrite1h: 0n, output: 10_000n, reasoning: 0n };
const tag = priceTag(
  Object.fromEntries(Object.entries(rates).map(([name, nano]) => [name, nano * atto])) as typeof rates,
  { source: "own", version: "test", since: "" },
);
const users = 20;

interface Sample extends Partial<UsageRecord> {
  readonly endMs: number;
  readonly input?: number;
  readonly cached?: number;
}

let made = 0;

/** A call of 12.3456 s with 200 tokens of output. */
function call({ endMs, input = 1000, cached = 0, ...values }: Sample): UsageRecord {
  return usageRecord(
    {
      tenant: "acme",
      startUs: endMs * 1000 - 12_345_600,
      endUs: endMs * 1000,
      usage: { input, cacheRead: cached, cacheWrite5m: 0, cacheWrite1h: 0, output: 200, reasoning: 0 },
      costNanoUsd: input * inputNano + cached * cachedNano + 200 * outputNano,
      priceTag: tag,
      ...values,
    },
    ++made,
  );
}

/** Two calls a minute of each user, one of each feature, alternately of prompts v6 and v7. */
function minutesOf(fromMs: number, minutes: number, change: (sample: Sample) => Partial<Sample> = () => ({})) {
  const records: UsageRecord[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    for (let user = 0; user < users; user++) {
      for (const feature of ["chat", "search"]) {
        const endMs = fromMs + minute * minuteMs + user * 2500;
        const sample = { endMs, feature, promptVersion: user % 2 === 0 ? "v6" : "v7", user: `user-${user}` };
        records.push(call({ ...sample, ...change(sample) }));
      }
    }
  }
  return records;
}

function alertOf(tenant: string, over: Partial<Alert> = {}): Alert {
  return {
    fingerprint: tenant,
    kind: "spend_above_baseline",
    status: "firing",
    severity: "page",
    labels: { alertname: "spend_above_baseline", tenant },
    annotations: {},
    startsAtMs: onsetMs,
    endsAtMs: null,
    unit: "nano_usd_per_minute",
    observed: 2,
    expected: 1,
    impactNanoUsd: 1,
    ...over,
  };
}

const directory = mkdtempSync(join(tmpdir(), "burnwatch-cause-"));
let store: Store;
let stored: StoredSpend;
beforeAll(async () => {
  store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 });
  await store.migrate();
  stored = {
    change: (where, before, after) => spendChange(store, { where, before, after }),
    lastCallMs: (where, period) => lastCallMs(store, where, period),
    holds: () => true,
  };
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

it("names the prompt whose inputs grew, and dollars that sum to the change, both to the cent", async () => {
  const longer = minutesOf(onsetMs, 10, ({ feature, promptVersion }) =>
    feature === "chat" && promptVersion === "v7" ? { input: 5000 } : {},
  );
  const others = [...minutesOf(onsetMs - 15 * minuteMs, 25)].map((record) => ({ ...record, tenant: "globex" }));
  await store.insert({ token: "cause-1", records: [...minutesOf(onsetMs - 15 * minuteMs, 15), ...longer, ...others] });
  const question = { alert: alertOf("acme"), offset: 1, spokenAtMs: onsetMs + 10 * minuteMs - 1 };
  const { annotations, isKnown } = await findCause(question, stored);
  // Ten minutes of 40 calls at $0.0045 are $1.80; 100 calls with 4,000 tokens more at $2.50 a million are $1.00.
  expect(isKnown).toBe(true);
  expect(annotations).toEqual({
    cause: "+$6.00/h: 100 % from feature chat, prompt v7: inputs 5.0x longer (+$6.00/h)",
    cause_dollars:
      "$2.80, usually $1.80: +$1.00 = input +$1.00; feature chat, prompt v7: $1.45, usually $0.45: +$1.00 = input +$1.00",
    cause_compared:
      "2025-11-20T10:00:00.000Z to 2025-11-20T10:10:00.000Z with the time before its onset, 2025-11-20T09:45:00.000Z to 2025-11-20T10:00:00.000Z",
  });
});

it("tells calls, retries and caches apart, and takes back what a correction took back", async () => {
  const of = (tenant: string, records: readonly UsageRecord[]) => records.map((record) => ({ ...record, tenant }));
  const before = minutesOf(onsetMs - 15 * minuteMs, 15, () => ({ input: 500, cached: 500 }));
  const after = minutesOf(onsetMs, 15, ({ feature }) =>
    feature === "chat" ? { input: 1000, cached: 0 } : { input: 500, cached: 500 },
  );
  const again = after
    .filter(({ feature }) => feature === "search")
    .map((record) => ({
      ...record,
      spanId: `f${record.spanId.slice(1)}`,
      flags: ["repeated_attempt"],
    }));
  const wrong = call({ endMs: onsetMs + minuteMs, input: 1_000_000 });
  const { input, output } = wrong.usage;
  const back: UsageRecord = {
    ...wrong,
    usage: { ...wrong.usage, input: -input, output: -output },
    calls: -1,
    costNanoUsd: -(wrong.costNanoUsd ?? 0),
    revision: 1,
  };
  await store.insert({ token: "cause-2", records: of("retries", [...before, ...after, ...again, wrong, back]) });
  const question = { alert: alertOf("retries"), offset: 1, spokenAtMs: onsetMs + 15 * minuteMs - 1 };
  const { annotations } = await findCause(question, stored);
  // 300 calls of chat: 500 tokens that cost $1.25 a million more, $0.1875. 300 calls of search once more, $0.003875 each.
  expect(annotations["cause_dollars"]?.split("; ")[0]).toBe(
    "$3.68, usually $2.33: +$1.35 = retries +$1.16, cache +$0.19",
  );
});

it("compares a long incident with the same hours of a week before, where they are stored", async () => {
  const of = (tenant: string, records: readonly UsageRecord[]) => records.map((record) => ({ ...record, tenant }));
  const hours = 3;
  const records = [
    ...minutesOf(onsetMs - weekMs, 60 * hours, () => ({ input: 2000 })),
    ...minutesOf(onsetMs - 60 * hours * minuteMs, 60 * hours),
    ...minutesOf(onsetMs, 60 * hours, () => ({ input: 3000 })),
  ];
  await store.insert({ token: "cause-3", records: of("weekly", records) });
  const question = { alert: alertOf("weekly"), offset: 1, spokenAtMs: onsetMs + 60 * hours * minuteMs - 1 };
  const { annotations } = await findCause(question, stored);
  // 7,200 calls with 1,000 tokens more than a week before: $18.00, and all of them alike.
  expect(annotations["cause_dollars"]).toBe("$68.40, usually $50.40: +$18.00 = input +$18.00");
  expect(annotations["cause"]).toBe("+$6.00/h: broad, no part of the calls stands out: inputs 1.5x longer (+$6.00/h)");
  expect(annotations["cause_compared"]).toContain("the same time a week before");
});

it("ends the period with the last call that has arrived, and knows nothing of a store that is behind, wrong or empty", async () => {
  const after = minutesOf(onsetMs, 5, () => ({ input: 2000 }));
  const records = [...minutesOf(onsetMs - 15 * minuteMs, 15), ...after].map((record) => ({
    ...record,
    tenant: "late",
  }));
  await store.insert({ token: "cause-4", records });
  const question = { alert: alertOf("late"), offset: 1, spokenAtMs: onsetMs + 60 * minuteMs };
  const { annotations } = await findCause(question, stored);
  expect(annotations["cause_compared"]).toContain("to 2025-11-20T10:04:47.501Z");
  expect((await findCause({ ...question, alert: alertOf("nobody") }, stored)).annotations).toEqual({
    cause: "not known: the store has no calls of it since its onset",
  });
  const wrong = {
    ...stored,
    change: (...[, , after]: Parameters<StoredSpend["change"]>) =>
      spendChange(store, { where: { nonsense: "" }, before: after, after }),
  };
  const answer = await findCause(question, wrong);
  expect(answer.isKnown).toBe(false);
  expect(answer.annotations["cause"]).toMatch(/^not known: the store answered: "nonsense" is not a dimension/);
});
