/**
 * Every dialect against calls whose usage is known: spans recorded from real packages. A cell of the table is exact, in
 * tokens and in cost, or says what its spans do not carry; then each record of it is flagged.
 */

import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import type { Reading } from "../src/dialects/dialect.ts";
import { dialectOf } from "../src/dialects/dialects.ts";
import { exampleSpan } from "../src/dialects/example-span.ts";
import type { Attributes } from "../src/model/span.ts";
import type { Usage } from "../src/model/usage.ts";
import { PriceBook } from "../src/pricing/price-book.ts";
import { priceCall } from "../src/pricing/price-call.ts";
import { billedReadings, type ReadSpan } from "./conformance/billed-readings.ts";
import { arrived, type RecordedCase, recordedCases, trueNanoUsd, trueUsage } from "./conformance/recorded.ts";

const prices = new PriceBook();
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
  "openlit 1.45.0 python anthropic": { cache_write: ["cache_ttl_assumed"], stream: ["cache_unreported"] },
  "openlit 1.45.0 python openai": { reasoning: ["reasoning_unreported"], stream: ["reasoning_unreported"] },
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

interface Verdict {
  readonly cell: string;
  readonly billed: readonly ReadSpan[];
}

function readingsOf(recorded: RecordedCase): {
  readonly all: readonly ReadSpan[];
  readonly billed: readonly ReadSpan[];
} {
  const spans = recorded.spans.map(arrived);
  const all = spans.flatMap((span) => {
    const reading = dialectOf(span)?.read(span);
    return reading == null ? [] : [{ span, reading }];
  });
  return { all, billed: billedReadings(all, spans) };
}

function nanoUsdOf({ span, reading }: ReadSpan): number | null {
  if (reading.usage === null) return null;
  const { provider, model, operation, serviceTier, usage } = reading;
  const call = { tenant: "t", provider, model, operation, serviceTier, startUs: span.startUs, status: span.status };
  const price = priceCall({ ...call, usage, images: 0, audioMs: 0, reportedNanoUsd: null, flags: [] }, prices);
  return price.costNanoUsd;
}

function judge(recorded: RecordedCase): Verdict {
  const { billed } = readingsOf(recorded);
  const read = billed.map((one) => JSON.stringify([one.reading.usage, nanoUsdOf(one)])).sort();
  const truth = recorded.truths.map((call) => [trueUsage(call), trueNanoUsd(trueUsage(call), call.model)]);
  if (JSON.stringify(read) === JSON.stringify(truth.map((one) => JSON.stringify(one)).sort())) {
    return { cell: "exact", billed };
  }
  const doubts = new Set(billed.flatMap(({ reading }) => reading.flags));
  return { cell: doubts.size === 0 ? "WRONG" : [...doubts].sort().join(" "), billed };
}

describe("recorded spans", () => {
  it.each(cases.map((recorded) => [recorded.emitter, recorded.case, recorded] as const))(
    "%s, %s: exact, or known not to be and flagged",
    (emitter, name, recorded) => {
      const { cell, billed } = judge(recorded);
      const dialect = billed[0]?.reading.dialect ?? "none";
      const row = rows.get(`${dialect}\t${emitter}`) ?? new Map<string, string>();
      rows.set(`${dialect}\t${emitter}`, row.set(name, cell));
      const expected = notDerivable[emitter]?.[name];
      expect(cell).toBe(expected === undefined ? "exact" : [...expected].sort().join(" "));
      if (expected !== undefined) for (const { reading } of billed) expect(reading.flags).not.toEqual([]);
    },
  );
});

it("bills as many calls as the provider did", () => {
  for (const recorded of cases) {
    const { billed } = readingsOf(recorded);
    expect([recorded.emitter, recorded.case, billed.length]).toEqual([
      recorded.emitter,
      recorded.case,
      recorded.truths.length,
    ]);
  }
});

it("reports no unknown usage key of any recorded package", () => {
  const unknown = cases.flatMap((recorded) =>
    readingsOf(recorded).all.flatMap(({ reading }) => reading.unknownUsageKeys),
  );
  expect(unknown).toEqual([]);
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
