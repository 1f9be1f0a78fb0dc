/**
 * Every dialect against calls whose usage is known: spans recorded from real packages. A cell of the table is exact, in
 * tokens and in cost, or says what its spans do not carry; then each record of it is flagged.
 */

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Reading } from "../src/dialects/dialect.ts";
import { dialectOf } from "../src/dialects/dialects.ts";
import { exampleSpan } from "../src/dialects/example-span.ts";
import type { Attributes } from "../src/model/span.ts";
import type { Usage } from "../src/model/usage.ts";
import type { UsageRecord } from "../src/model/usage-record.ts";
import { arrived, type RecordedCase, recordedCases, trueNanoUsd, trueUsage } from "./conformance/recorded.ts";
import { dialectOfRecord, type ResolvedCases, resolveCases } from "./conformance/resolved.ts";

const columns = ["plain", "cached", "cache_write", "reasoning", "stream", "tool", "embedding", "agent"];
const cases = recordedCases();
const rows = new Map<string, Map<string, string>>();

/** What the recorded spans do not carry, and which flag says so. Everything that is not here must be exact. */
const notDerivable: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "@langfuse/openai 5.11.1": { embedding: ["usage_unreported"] },
  "pydantic-ai 2.31.1 anthropic": { cache_write: ["cache_ttl_assumed"] },
  "@arizeai/openinference-instrumentation-openai 4.2.7": {
    stream: ["usage_unreported"],
    embedding: ["usage_unreported"],
  },
  "openlit 1.15.0 node openai": { reasoning: ["reasoning_unreported"], stream: ["reasoning_unreported"] },
  "openlit 1.45.0 python anthropic": { cache_write: ["cache_ttl_assumed"], stream: ["cache_unreported"] },
  "openlit 1.45.0 python openai": { reasoning: ["reasoning_unreported"], stream: ["reasoning_unreported"] },
  "@sentry/node 10.78.0 anthropic": { cache_write: ["cache_ttl_assumed"] },
  "@sentry/node 10.78.0 openai": { reasoning: ["reasoning_unreported"], stream: ["reasoning_unreported"] },
  "@traceloop/instrumentation-anthropic 0.27.0": { cache_write: ["cache_ttl_assumed", "input_excludes_cache"] },
  "@traceloop/instrumentation-openai 0.27.0": {
    cached: ["cache_unreported", "reasoning_unreported"],
    reasoning: ["reasoning_unreported"],
    stream: ["usage_unreported"],
  },
  "@opentelemetry/instrumentation-openai 0.22.0": {
    cached: ["cache_unreported", "reasoning_unreported"],
    reasoning: ["reasoning_unreported"],
    stream: ["cache_unreported", "reasoning_unreported"],
  },
  "ai 5.0.277 openai": { cached: ["cache_unreported", "reasoning_unreported"], reasoning: ["reasoning_unreported"] },
  "ai 7.0.173 anthropic": { cache_write: ["cache_ttl_assumed"] },
  "ai 7.0.173 openai": { reasoning: ["reasoning_unreported"], stream: ["reasoning_unreported"] },
};

let resolved: ResolvedCases;
beforeAll(async () => {
  resolved = await resolveCases(cases, "together");
});

function billedOf(recorded: RecordedCase): readonly UsageRecord[] {
  return resolved.billed.get(recorded) ?? [];
}

/** Usage and cost of each call, as one text each. */
function toldBy(records: readonly UsageRecord[]): readonly string[] {
  return records.map(({ usage, costNanoUsd }) => JSON.stringify([usage, costNanoUsd])).sort();
}

function truthOf({ truths }: RecordedCase): readonly string[] {
  return truths.map((call) => JSON.stringify([trueUsage(call), trueNanoUsd(trueUsage(call), call.model)])).sort();
}

function judge(recorded: RecordedCase): string {
  const billed = billedOf(recorded);
  if (toldBy(billed).join() === truthOf(recorded).join()) return "exact";
  const doubts = new Set(billed.flatMap(({ flags }) => flags));
  return doubts.size === 0 ? "WRONG" : [...doubts].sort().join(" ");
}

describe("recorded spans", () => {
  it.each(cases.map((recorded) => [recorded.emitter, recorded.case, recorded] as const))(
    "%s, %s: exact, or known not to be and flagged",
    (emitter, name, recorded) => {
      const cell = judge(recorded);
      const dialect = dialectOfRecord(recorded, billedOf(recorded)[0]);
      const row = rows.get(`${dialect}\t${emitter}`) ?? new Map<string, string>();
      rows.set(`${dialect}\t${emitter}`, row.set(name, cell));
      const expected = notDerivable[emitter]?.[name];
      expect(cell).toBe(expected === undefined ? "exact" : [...expected].sort().join(" "));
      if (expected !== undefined) for (const { flags } of billedOf(recorded)) expect(flags).not.toEqual([]);
    },
  );
});

it("bills as many calls as the provider did", () => {
  const calls = cases.map((one) => [one.emitter, one.case, billedOf(one).length]);
  expect(calls).toEqual(cases.map((one) => [one.emitter, one.case, one.truths.length]));
});

it.each(["parents first", "late"] as const)(
  "bills the same where the spans come one by one, %s",
  async (arrival) => {
    const { billed } = await resolveCases(cases, arrival);
    const told = (all: ResolvedCases["billed"]) =>
      cases.map((one) => [one.emitter, one.case, toldBy(all.get(one) ?? [])]);
    expect(told(billed)).toEqual(told(resolved.billed));
  },
  60_000,
);

it("reports no unknown usage key of any recorded package", () => {
  expect(resolved.unknownUsageKeys).toEqual([]);
});

it("lets no prompt, answer or tool argument of a recorded span through", () => {
  const sent = JSON.stringify(cases.map(({ spans }) => spans));
  const kept = JSON.stringify(cases.map(({ spans }) => spans.map((span) => arrived(span).attributes)));
  for (const content of ["case=", "Hello there", "Oslo"]) {
    expect(sent).toContain(content);
    expect(kept).not.toContain(content);
  }
});

interface SharedSpan {
  readonly source: string;
  readonly scope: string;
  readonly name: string;
  readonly attributes: Attributes;
}

const shared = JSON.parse(readFileSync(new URL("fixtures/dialect-fixtures.json", import.meta.url), "utf8")) as {
  readonly spans: readonly SharedSpan[];
};

describe("31 spans of seven dialects", () => {
  const openai: Usage = { input: 86, cacheRead: 1920, cacheWrite5m: 0, cacheWrite1h: 0, output: 108, reasoning: 192 };
  const anthropic: Usage = {
    input: 50,
    cacheRead: 1000,
    cacheWrite5m: 200,
    cacheWrite1h: 0,
    output: 120,
    reasoning: 0,
  };
  const embedding: Usage = { input: 8, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: 0 };
  const doubts = [
    "cache_unreported",
    "reasoning_unreported",
    "usage_unreported",
    "cache_ttl_assumed",
    "cache_semantics_assumed",
  ];

  function truthOf({ model, requestModel }: Reading): Usage | null {
    if (requestModel === "boom") return null;
    if (model.startsWith("text-embedding")) return embedding;
    return model.startsWith("claude") ? anthropic : openai;
  }

  it.each(shared.spans.map((span, index) => [index, span.source, span.name, span] as const))(
    "%i: %s, %s",
    (_, __, name, { scope, attributes }) => {
      const failed = name === "chat boom" || attributes["gen_ai.request.model"] === "boom";
      const span = exampleSpan({ scope: scope.replace("@undefined", ""), attributes, status: failed ? "error" : "ok" });
      const reading = dialectOf(span)?.read(span) ?? null;
      if (name.startsWith("step ")) {
        expect(reading).toBeNull();
        return;
      }
      expect(reading).not.toBeNull();
      if (reading === null) return;
      const exact = JSON.stringify(reading.usage) === JSON.stringify(truthOf(reading));
      expect(exact || reading.flags.some((flag) => doubts.includes(flag))).toBe(true);
    },
  );

  it("are exact but for what their emitters never tell", () => {
    const inexact = shared.spans.filter(({ scope, attributes }) => {
      const span = exampleSpan({ scope: scope.replace("@undefined", ""), attributes });
      const reading = dialectOf(span)?.read(span);
      return reading != null && JSON.stringify(reading.usage) !== JSON.stringify(truthOf(reading));
    });
    expect(inexact.map(({ source, name }) => `${source}: ${name}`)).toEqual([
      "otel-0.21_openai6_cjs_node20: chat gpt-4o",
      "otel-0.21_openai6_cjs_node20: chat gpt-4o",
      "tl_0.27_anthropic0.130_openai4_cjs_node20: chat gpt-4o",
      "tl_0.27_anthropic0.130_openai4_cjs_node20: chat gpt-4o",
      "oi_cjs_node22: OpenAI Chat Completions",
      "oi_cjs_node22: OpenAI Embeddings",
      "aisdk5_node20: ai.generateText.doGenerate",
      "aisdk5_node20: ai.generateText",
      "aisdk7_otel_node22: chat gpt-4o",
      "aisdk7_otel_node22: invoke_agent gpt-4o",
    ]);
  });
});

afterAll(() => {
  const width = (cells: readonly string[]) => Math.max(...cells.map((cell) => cell.length));
  const short = (cell: string | undefined) => (cell === undefined ? "" : cell === "exact" ? "exact" : "not derivable");
  const lines = [["dialect", "emitter", ...columns]];
  for (const [key, row] of [...rows].sort())
    lines.push([...key.split("\t"), ...columns.map((name) => short(row.get(name)))]);
  const widths = lines[0]?.map((_, column) => width(lines.map((line) => line[column] ?? ""))) ?? [];
  const table = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  process.stdout.write(
    `\nConformance: tokens and cost of recorded calls; what is not derivable is flagged\n${table.join("\n")}\n\n`,
  );
});
