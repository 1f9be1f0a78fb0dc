/** Whole incidents in whole recorded hours, through everything from a record to a finding: precision, recall, delay, dollars. */

import { detectors } from "../../detectors/detectors.ts";
import { type Arrival, arrivalsOf, backtest, grade, type Label, opened } from "../../src/detection/backtest.ts";
import type { Finding } from "../../src/model/finding.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import { PriceBook } from "../../src/pricing/price-book.ts";
import { parseIncidents } from "../../src/replay/inject/incidents.ts";
import { inject } from "../../src/replay/inject/inject.ts";
import { readTrace, type Trace } from "../../src/replay/read-trace.ts";
import { replayIds } from "../../src/replay/replay-ids.ts";
import { usageOfCall } from "../../src/replay/usage-of-call.ts";
import type { Cell } from "../bench/bench.ts";
import { median } from "../bench/statistics.ts";
import { decoys } from "./decoys.ts";
import type { Evaluation } from "./eval.ts";
import { incidentMinutes, incidentOnsets, sizes } from "./protocol.ts";
import { randomOf, traceFile } from "./samples.ts";

interface Scenario {
  readonly name: string;
  /** Fields of the incident as in a file of incidents. */
  readonly incident: string;
  /** Incidents that last from the first call on and make the trace fit: cached tokens where Azure says nothing of them. */
  readonly before?: string;
}

const scenarios: readonly Scenario[] = [
  { name: "inputs x1.5", incident: "kind: token_shift, input_factor: 1.5" },
  { name: "inputs x2", incident: "kind: token_shift, input_factor: 2" },
  { name: "inputs x4", incident: "kind: token_shift, input_factor: 4" },
  { name: "answers x2", incident: "kind: token_shift, output_factor: 2" },
  { name: "answers x4", incident: "kind: token_shift, output_factor: 4" },
  { name: "fallback 20 % to o1", incident: "kind: model_fallback, to: o1, share: 0.2" },
  { name: "fallback 80 % to o1", incident: "kind: model_fallback, to: o1, share: 0.8" },
  { name: "cache 90 % to 10 %", incident: "kind: cache_break, cached: 0.1, baseline_cached: 0.9" },
  { name: "retries x2 of half", incident: "kind: retry_storm, attempts: 2, share: 0.5" },
  { name: "retries x5 of 80 %", incident: "kind: retry_storm, attempts: 5, share: 0.8" },
  { name: "loop, 60 calls/min", incident: "kind: loop, calls_per_minute: 60, input_growth_tokens: 900" },
];

const seriesMax = 10_000;
const minuteMs = 60_000;
const prices = new PriceBook();

interface Outcome {
  readonly found: number;
  readonly paged: number;
  readonly falseFindings: number;
  readonly findings: number;
  readonly delaySeconds: number[];
  readonly delayRecords: number[];
  readonly delayUsd: number[];
}

export const incidents: Evaluation = {
  name: "incidents",
  summary: "incidents and decoys in recorded hours, from record to finding: precision, recall, delay, dollars",
  async run({ size, progress }) {
    const runs = sizes[size].incidentRuns;
    const traces = {
      conv: await readTrace({ file: traceFile("conv") }),
      code: await readTrace({ file: traceFile("code") }),
    };
    const rows: Cell[][] = [];
    let [findings, falseFindings, found, wanted, done] = [0, 0, 0, 0, 0];
    const total = 2 * (scenarios.length + decoys.length) * runs;
    for (const [traceName, trace] of Object.entries(traces)) {
      for (const scenario of scenarios) {
        const outcome = emptyOutcome();
        for (let run = 0; run < runs; run++) {
          progress(done++ / total, `${traceName}, ${scenario.name}`);
          await new Promise((resolve) => setImmediate(resolve));
          note(outcome, runIncident(trace, scenario, `${traceName} ${scenario.name} run ${run}`));
        }
        findings += outcome.findings;
        falseFindings += outcome.falseFindings;
        found += outcome.found;
        wanted += runs;
        rows.push(incidentRow(traceName, scenario.name, outcome, runs));
      }
    }
    const decoyRows: Cell[][] = [];
    for (const [traceName, trace] of Object.entries(traces)) {
      for (const decoy of decoys) {
        let [pages, tickets] = [0, 0];
        for (let run = 0; run < runs; run++) {
          progress(done++ / total, `${traceName}, ${decoy.name}`);
          await new Promise((resolve) => setImmediate(resolve));
          const name = `${traceName} ${decoy.name} run ${run}`;
          const told = judge(decoy.change(recordsOf(trace, name), randomOf(name)));
          pages += told.filter(({ severity }) => severity === "page").length;
          tickets += told.filter(({ severity }) => severity === "ticket").length;
        }
        decoyRows.push([traceName, decoy.name, runs, pages, tickets]);
      }
    }
    const precision = (findings - falseFindings) / Math.max(1, findings);
    return {
      tables: [
        {
          title: "incidents of ten minutes, from record to finding",
          columns: [
            { title: "trace" },
            { title: "incident" },
            { title: "found" },
            { title: "paged" },
            { title: "false" },
            { title: "records", digits: 0 },
            { title: "seconds", digits: 0 },
            { title: "dollars", digits: 2 },
          ],
          rows,
          notes: [
            `Recall ${(found / Math.max(1, wanted)).toFixed(3)}, precision ${precision.toFixed(3)} over ${findings} findings of ${wanted} incidents. Medians from onset to finding; tickets are told after five minutes, when no page explains them.`,
          ],
        },
        {
          title: "decoys: nothing is wrong with what was spent",
          columns: [
            { title: "trace" },
            { title: "decoy" },
            { title: "runs", digits: 0 },
            { title: "pages", digits: 0 },
            { title: "tickets", digits: 0 },
          ],
          rows: decoyRows,
          notes: [
            "Each run is one recorded hour with other tie breaks; `as recorded` is the second null suite, real order.",
          ],
        },
      ],
      plots: [],
    };
  },
};

/** Records of a trace at list price, with ids of this run. */
function recordsOf(trace: Trace, name: string, calls = trace.calls): readonly UsageRecord[] {
  const ids = replayIds({ fileHash: trace.fileHash, injectHash: "", salt: name });
  const zeroUs = trace.zeroUs ?? 0;
  return calls.map((call) => usageOfCall(call, { zeroUs, ids, prices, tenant: "demo" }));
}

function runIncident(trace: Trace, scenario: Scenario, name: string) {
  const random = randomOf(name);
  const lengthMs = -(trace.calls[0]?.startUs ?? 0) / 1000;
  const onset = incidentOnsets.from + random() * (incidentOnsets.until - incidentOnsets.from);
  const beforeEndMs = Math.round(lengthMs * (1 - onset));
  const times = `from: "-${Math.round(beforeEndMs / 1000)}s", until: "-${Math.round((beforeEndMs - incidentMinutes * minuteMs) / 1000)}s"`;
  const file = parseIncidents(`incidents:\n  - { ${scenario.incident}, ${times} }\n`, name);
  const calls = inject(trace.calls, { incidents: file.incidents, seed: name, zeroUs: trace.zeroUs });
  const records = recordsOf(trace, name, [...calls]);
  const fromMs = (trace.zeroUs ?? 0) / 1000 - beforeEndMs;
  const label: Label = { series: { tenant: "demo" }, fromMs, untilMs: fromMs + incidentMinutes * minuteMs };
  const findings = judge(arrivalsOf(records));
  return grade(findings, [label], records);
}

function judge(arrivals: Iterable<Arrival>): readonly Finding[] {
  return opened([...backtest(arrivals, { detectors, choices: {}, seriesMax })]);
}

function emptyOutcome(): { -readonly [Key in keyof Outcome]: Outcome[Key] } {
  return { found: 0, paged: 0, falseFindings: 0, findings: 0, delaySeconds: [], delayRecords: [], delayUsd: [] };
}

function note(outcome: ReturnType<typeof emptyOutcome>, graded: ReturnType<typeof grade>): void {
  const [label] = graded.labels;
  outcome.falseFindings += graded.falseFindings.length;
  outcome.findings += graded.falseFindings.length + (label?.finding === null ? 0 : 1);
  if (label === undefined || label.finding === null) return;
  outcome.found++;
  if (label.finding.severity === "page") outcome.paged++;
  outcome.delaySeconds.push(label.delayMs / 1000);
  outcome.delayRecords.push(label.delayRecords);
  outcome.delayUsd.push(label.delayNanoUsd / 1e9);
}

function incidentRow(trace: string, name: string, outcome: Outcome, runs: number): Cell[] {
  const middle = (values: readonly number[]) => (values.length === 0 ? null : median(values));
  return [
    trace,
    name,
    `${outcome.found} of ${runs}`,
    `${outcome.paged}`,
    `${outcome.falseFindings}`,
    middle(outcome.delayRecords),
    middle(outcome.delaySeconds),
    middle(outcome.delayUsd),
  ];
}
