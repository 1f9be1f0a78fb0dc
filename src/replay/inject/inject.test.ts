import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { readTrace } from "../read-trace.ts";
import { type ReplayCall, unknownCall } from "../replay-call.ts";
import { parseIncidents, readIncidents } from "./incidents.ts";
import { inject } from "./inject.ts";

const minuteUs = 60e6;

/** A call every second for the last `seconds` seconds of a trace. */
function calls(seconds: number, fields: Partial<ReplayCall> = {}): ReplayCall[] {
  return Array.from({ length: seconds }, (_, index) => ({
    ...unknownCall,
    row: index + 1,
    traceKey: String(index + 1),
    spanKey: String(index + 1),
    startUs: (index + 1 - seconds) * 1e6 - 500_000,
    endUs: (index + 1 - seconds) * 1e6,
    tenant: index % 2 === 0 ? "acme" : "globex",
    model: "gpt-4o",
    responseModel: "gpt-4o",
    provider: "openai",
    inputTokens: 1000 + index,
    cacheReadTokens: 500,
    cacheWriteTokens: 100,
    outputTokens: 50,
    reasoningTokens: 7,
    ...fields,
  }));
}

function injected(yaml: string, of: readonly ReplayCall[], options: { seed?: string; zeroUs?: number } = {}) {
  const { incidents, seed } = parseIncidents(yaml, "test.yaml");
  return inject(of, { incidents, seed: seed ?? options.seed ?? "", zeroUs: options.zeroUs });
}

const one = (fields: string) => `incidents: [{ ${fields} }]`;
const callsBefore = (list: readonly ReplayCall[], us: number) => list.filter((call) => call.startUs < us);
const callsFrom = (list: readonly ReplayCall[], us: number) => list.filter((call) => call.startUs >= us);

describe("token_shift", () => {
  test("multiplies input with its cached parts and output with its reasoning, from then on", () => {
    const all = calls(120);
    const result = injected(one('kind: token_shift, from: "-1m", input_factor: 2.5, output_factor: 3'), all);
    expect(callsBefore(result, -minuteUs)).toEqual(callsBefore(all, -minuteUs));
    expect(callsFrom(result, -minuteUs)).toEqual(
      callsFrom(all, -minuteUs).map((call) => ({
        ...call,
        inputTokens: Math.round((call.inputTokens ?? 0) * 2.5),
        cacheReadTokens: 1250,
        cacheWriteTokens: 250,
        outputTokens: 150,
        reasoningTokens: 21,
      })),
    );
  });

  test("concerns only the calls that where names, and ends at until", () => {
    const all = calls(120);
    const yaml = one(
      'kind: token_shift, from: "-1m", until: "-30s", where: { tenant: acme, model: gpt-4o }, input_factor: 6',
    );
    const changed = injected(yaml, all).filter((call, index) => call.inputTokens !== all[index]?.inputTokens);
    expect(changed.length).toBe(15);
    expect(
      changed.every((call) => call.tenant === "acme" && call.startUs >= -minuteUs && call.startUs < -minuteUs / 2),
    ).toBe(true);
  });
});

describe("loop", () => {
  const yaml = one('kind: loop, from: "-10m", calls_per_minute: 30, input_growth_tokens: 400, run: r9, tool: web');

  test("adds one growing run at an even pace and leaves everything else alone", () => {
    const all = calls(1200);
    const result = injected(yaml, all);
    const added = result.filter((call) => call.run === "r9");
    expect(result.filter((call) => call.run !== "r9")).toEqual(all);
    expect(added.length).toBe(300);
    expect(added[0]?.startUs).toBeGreaterThanOrEqual(-10 * minuteUs);
    expect(added.at(-1)?.endUs).toBeLessThanOrEqual(0);
    for (const [index, call] of added.entries()) {
      expect(call.inputTokens).toBe(Math.min(120_000, (all[599]?.inputTokens ?? 0) + 400 * index));
      expect(call.startUs).toBeGreaterThanOrEqual(added[index - 1]?.endUs ?? Number.NEGATIVE_INFINITY);
    }
    const { tool, finishReason, errorType, outputTokens } = added[5] ?? unknownCall;
    expect({ tool, finishReason, errorType, outputTokens }).toEqual({
      tool: "web",
      finishReason: "tool_calls",
      errorType: "",
      outputTokens: 50,
    });
    expect(new Set(added.map((call) => call.toolArgsHash)).size).toBe(1);
    expect(new Set(added.map((call) => call.traceKey)).size).toBe(1);
    expect(new Set(result.map((call) => call.spanKey)).size).toBe(result.length);
  });

  test("has the same calls for the same seed and others for another", () => {
    const all = calls(1200);
    expect(injected(yaml, all, { seed: "1" })).toEqual(injected(yaml, all, { seed: "1" }));
    expect(injected(yaml, all, { seed: "1" })).not.toEqual(injected(yaml, all, { seed: "2" }));
  });
});

describe("cache_break", () => {
  test("turns what was read from the cache into plain input", () => {
    const all = calls(120);
    const result = injected(one('kind: cache_break, from: "-1m", cached: 0.25'), all);
    expect(callsBefore(result, -minuteUs)).toEqual(callsBefore(all, -minuteUs));
    expect(callsFrom(result, -minuteUs)).toEqual(
      callsFrom(all, -minuteUs).map((call) => ({ ...call, cacheReadTokens: 125 })),
    );
  });

  test("gives calls without cached tokens a synthetic baseline first, at all times", () => {
    const all = calls(120, { cacheReadTokens: undefined, cacheWriteTokens: undefined, inputTokens: 1000 });
    const result = injected(one('kind: cache_break, from: "-1m", until: "-30s", cached: 0, baseline_cached: 0.9'), all);
    const cached = result.map((call) => call.cacheReadTokens);
    expect(cached).toEqual([...Array(60).fill(900), ...Array(30).fill(0), ...Array(30).fill(900)]);
    expect(result.every((call) => call.inputTokens === 1000)).toBe(true);
  });
});

describe("model_fallback", () => {
  test("another model answers a share of the calls; the request still names the old one", () => {
    const all = calls(1000);
    const result = injected(
      one('kind: model_fallback, from: "50%", to: o1, provider: azure.ai.openai, share: 0.8'),
      all,
    );
    const changed = result.filter((call) => call.responseModel === "o1");
    expect(result.slice(0, 500)).toEqual(all.slice(0, 500));
    expect(changed.length).toBeGreaterThan(360);
    expect(changed.length).toBeLessThan(440);
    expect(changed.every((call) => call.model === "gpt-4o" && call.provider === "azure.ai.openai")).toBe(true);
  });
});

describe("retry_storm", () => {
  test("puts failed attempts, billed for their input, before each call", () => {
    const all = calls(120);
    const result = injected(
      one('kind: retry_storm, from: "-1m", attempts: 5, error_type: "429", delay_seconds: 1'),
      all,
    );
    expect(callsBefore(result, -minuteUs)).toEqual(callsBefore(all, -minuteUs));
    expect(result.length).toBe(60 + 60 * 5);
    const attempts = result.filter((call) => call.row === 100).sort((left, right) => left.startUs - right.startUs);
    const startUs = all[99]?.startUs ?? 0;
    expect(attempts.map((call) => (call.startUs - startUs) / 1e6)).toEqual([0, 1, 2, 3, 4]);
    expect(attempts.map((call) => call.errorType)).toEqual(["429", "429", "429", "429", ""]);
    expect(attempts.map((call) => [call.inputTokens, call.outputTokens, call.cacheReadTokens])).toEqual([
      ...Array(4).fill([1099, 0, 500]),
      [1099, 50, 500],
    ]);
    expect(new Set(attempts.map((call) => call.traceKey)).size).toBe(1);
    expect(new Set(result.map((call) => call.spanKey)).size).toBe(result.length);
  });

  test("a share of 0.5 spares about half of the calls", () => {
    const result = injected(one('kind: retry_storm, from: "0%", attempts: 2, share: 0.5'), calls(1000));
    expect(result.length).toBeGreaterThan(1440);
    expect(result.length).toBeLessThan(1560);
  });
});

test("a date of the recording is a moment of a dated trace", () => {
  const zeroUs = Date.parse("2023-11-16T19:00:00Z") * 1000;
  const yaml = one("kind: token_shift, from: 2023-11-16T18:59:00Z, input_factor: 2");
  expect(injected(yaml, calls(120), { zeroUs })).toEqual(
    injected(one('kind: token_shift, from: "-1m", input_factor: 2'), calls(120)),
  );
  expect(() => injected(yaml, calls(120))).toThrow("incident 1 (token_shift): a date is of no use");
});

test("calls stay in the order of their ends", () => {
  const result = injected(one('kind: retry_storm, from: "-1m", attempts: 5'), calls(120));
  const ends = result.map((call) => call.endUs);
  expect(ends).toEqual(ends.toSorted((left, right) => left - right));
});

test("incidents apply one after another", () => {
  const yaml =
    'incidents: [{ kind: token_shift, from: "-1m", input_factor: 2 }, { kind: retry_storm, from: "-1m", attempts: 2 }]';
  const failed = injected(yaml, calls(120)).filter((call) => call.errorType !== "");
  expect(failed.length).toBe(60);
  expect(failed[0]?.inputTokens).toBe(2120);
});

describe("an incident that would do nothing is refused", () => {
  test.each([
    [
      'from: "-1m", where: { tenant: acne }',
      'incident 1 (token_shift): where.tenant: no call has "acne"',
      'did you mean "acme"?',
    ],
    ['from: "-1m", where: { model: claude }', 'where.model: no call has "claude"', 'the trace has "gpt-4o"'],
    ['from: "-0s"', "no call that it concerns lies between from and until", 'name an earlier time, e.g. from: "80%"'],
    ['from: "-1m", until: "-2m"', "until is not after from", undefined],
  ])("%s", (fields, message, hint) => {
    const run = () => injected(one(`kind: token_shift, ${fields}`), calls(120));
    expect(run).toThrow(message);
    expect(run).toThrow(expect.objectContaining({ hint }));
  });
});

describe("a wrong file is refused with path, expectation and nearest name", () => {
  test.each([
    ["incidents: [", "test.yaml: line 1: "],
    ["", "the file: expected object, found null"],
    ["incident: []", 'the file: unknown key "incident", did you mean "incidents"?'],
    ["incidents: []", "incidents: expected array to have >=1 items, found []"],
    [
      one("kind: lop"),
      'incidents[0].kind: expected one of token_shift, loop, cache_break, model_fallback, retry_storm, found "lop", did you mean "loop"?',
    ],
    [one('from: "-1m"'), "incidents[0].kind: expected one of token_shift, loop"],
    [one("kind: token_shift"), "incidents[0].from: expected string, found nothing"],
    [
      one("kind: token_shift, from: yesterday"),
      'incidents[0].from: expected "-10m" (before the end), "80%" (after that share',
    ],
    [one('kind: token_shift, from: "120%"'), 'incidents[0].from: expected "-10m"'],
    [
      one('kind: token_shift, from: "-1m", input_faktor: 2'),
      'incidents[0]: unknown key "input_faktor", did you mean "input_factor"?',
    ],
    [
      one('kind: token_shift, from: "-1m", where: { feture: x }'),
      'incidents[0].where: unknown key "feture", did you mean "feature"?',
    ],
    [one('kind: token_shift, from: "-1m", input_factor: x'), 'incidents[0].input_factor: expected number, found "x"'],
    [one('kind: retry_storm, from: "-1m", attempts: 1'), "incidents[0].attempts: expected number to be >=2, found 1"],
    [one('kind: cache_break, from: "-1m", cached: 1.5'), "incidents[0].cached: expected number to be <=1, found 1.5"],
  ])("%s", (yaml, message) => {
    expect(() => parseIncidents(yaml, "test.yaml")).toThrow(message);
  });
});

describe("the example files", async () => {
  const folder = new URL("../incidents/", import.meta.url).pathname;
  const files = (await readdir(folder)).filter((name) => name.endsWith(".yaml"));
  const data = (name: string) => new URL(`../data/${name}.csv.gz`, import.meta.url).pathname;

  test("show each kind once", async () => {
    const kinds = await Promise.all(
      files.map(async (name) => (await readIncidents(folder + name)).incidents.at(-1)?.kind),
    );
    expect(kinds.toSorted()).toEqual(["cache_break", "loop", "model_fallback", "retry_storm", "token_shift"]);
  });

  test.each(files)("%s multiplies what the conversation trace costs at list prices", async (name) => {
    const trace = await readTrace({ file: data("AzureLLMInferenceTrace_conv") });
    const { incidents, hash } = await readIncidents(folder + name);
    const result = inject(trace.calls, { incidents, seed: "", zeroUs: trace.zeroUs });
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    // Dollars a million tokens: input, cached input, output. Only the proportion matters here.
    const rates = {
      "gpt-4o": [2.5, 1.25, 10],
      o1: [15, 7.5, 60],
      "claude-sonnet-4-5-20250929": [3, 0.3, 15],
    } as const;
    const cost = (list: readonly ReplayCall[]) =>
      list.reduce((total, call) => {
        const [input, cached, output] = rates[call.responseModel as keyof typeof rates];
        const cachedTokens = call.cacheReadTokens ?? 0;
        return (
          total +
          ((call.inputTokens ?? 0) - cachedTokens) * input +
          cachedTokens * cached +
          (call.outputTokens ?? 0) * output
        );
      }, 0);
    const lastMinutes = (list: readonly ReplayCall[]) => cost(callsFrom(list, -10 * minuteUs));
    // The same minutes without the incident; the synthetic cache of cache-break.yaml stays, and is whole.
    const harmless = incidents.flatMap((each) => (each.kind === "cache_break" ? [{ ...each, cached: 1 }] : []));
    const setting = name === "cache-break.yaml" ? [...incidents.slice(0, -1), ...harmless] : [];
    const without = inject(trace.calls, { incidents: setting, seed: "", zeroUs: trace.zeroUs });
    expect(lastMinutes(result) / lastMinutes(without)).toBeGreaterThan(1.5);
    if (name !== "cache-break.yaml") {
      expect(callsBefore(result, -10 * minuteUs)).toEqual(callsBefore(trace.calls, -10 * minuteUs));
    }
  });
});
