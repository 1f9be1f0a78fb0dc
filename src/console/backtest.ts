/** `burnwatch backtest`: what today's detectors would have said about recorded usage. */

import { detectors } from "../../detectors/detectors.ts";
import { arrivalsOf, type Grade, grade, type Label, opened, backtest as runBacktest } from "../detection/backtest.ts";
import { detectorChoices } from "../detection/detector-choices.ts";
import type { DetectorChoices } from "../detection/detector-plan.ts";
import { displayAmount } from "../model/amount.ts";
import type { Finding } from "../model/finding.ts";
import { displayUsd } from "../model/money.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { formats } from "../replay/formats/index.ts";
import { Progress } from "../replay/progress.ts";
import { apiOption, defineCommand, UsageError } from "./command.ts";
import { storedUsage } from "./stored-usage.ts";
import { readUsage } from "./usage-source.ts";

const seriesMax = 100_000;
const weekMs = 7 * 86_400_000;

/** Findings as JSON lines or text; how good they are where incidents are known, how often they page where not. */
export const backtest = defineCommand({
  name: "backtest",
  positional: "[FILE]",
  summary: "Run today's detectors over recorded usage: a trace file, or what the server has stored.",
  about: [
    "With --inject the incidents are known, and precision, recall and the delay of each are told. Without, how often a week",
    "the detectors would have paged. --set tries a setting, as BURNWATCH_DETECTORS does: NAME=off|ticket|page or",
    "NAME.SETTING=NUMBER, with @SCOPE after the name for one scope.",
  ].join("\n"),
  options: {
    format: { type: "string", value: "NAME", help: `${formats.map(({ name }) => name).join(", ")} (by the header)` },
    since: { type: "string", value: "T", help: "the server's records since then, instead of a file: 24h, 7d, a date" },
    inject: { type: "string", value: "FILE", help: "put the incidents of a YAML file into the trace, and grade" },
    tenant: { type: "string", value: "NAME", help: "tenant of calls that name none (default)" },
    salt: { type: "string", value: "TEXT", help: "another salt breaks ties between ranks otherwise" },
    set: { type: "string", multiple: true, value: "S", help: "spend=ticket, token-shift.mean_ratio_min=1.5; repeats" },
    "skip-bad": { type: "boolean", help: "leave broken rows out instead of refusing the file" },
    json: { type: "boolean", help: "findings as JSON lines, then one line of grades, and no progress" },
    ...apiOption,
  },
  examples: [
    "burnwatch backtest src/replay/data/AzureLLMInferenceTrace_conv.csv.gz",
    "burnwatch backtest src/replay/data/AzureLLMInferenceTrace_conv.csv.gz --inject src/replay/incidents/token-shift.yaml",
    "burnwatch backtest --since 7d --set spend.excess_usd_per_minute_min=1 --json",
  ],
  async run({ values, positionals }, io) {
    const [file] = positionals;
    if ((file === undefined) === (values.since === undefined)) throw new UsageError("name a file, or --since");
    if (file === undefined && values.inject !== undefined) throw new UsageError("--inject needs a file");
    const choices = choicesOf(values.set ?? []);
    const source =
      file === undefined
        ? { records: await storedUsage({ api: values.api, since: values.since ?? "", io }), labels: [] }
        : await readUsage({ ...values, file, salt: values.salt ?? "", skipBad: values["skip-bad"] === true });
    const { records, labels } = source;
    const json = values.json === true;
    const total = records.length;
    const bar = new Progress({
      stream: io.stderr,
      label: "backtest",
      unit: "records",
      total,
      silent: json,
      now: Date.now,
    });
    bar.start();
    const findings: Finding[] = [];
    const run = { detectors, choices, seriesMax, progress: (done: number) => bar.add(done) };
    for (const finding of runBacktest(arrivalsOf(records), run)) findings.push(finding);
    bar.stop();
    const graded = grade(findings, labels, records);
    const told = opened(findings);
    io.stdout.write(json ? jsonOf({ told, labels, graded, records }) : textOf({ told, labels, graded, records }));
    return 0;
  },
});

function choicesOf(texts: readonly string[]): DetectorChoices {
  try {
    return detectorChoices(texts);
  } catch (error) {
    throw new UsageError(`--set ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Result {
  /** The first telling of each incident. */
  readonly told: readonly Finding[];
  readonly labels: readonly Label[];
  readonly graded: Grade;
  readonly records: readonly UsageRecord[];
}

/** The shape that scripts may rely on (DESIGN section 6); the last line has the grades. */
function jsonOf(result: Result): string {
  const lines: object[] = result.told.map((finding) => ({
    at: iso(finding.atMs),
    detector: finding.detector,
    kind: finding.kind,
    severity: finding.severity,
    series: finding.series,
    observed: displayAmount(finding.observed, finding.unit),
    expected: displayAmount(finding.expected, finding.unit),
    onset: iso(finding.onsetMs),
    effect: finding.effect,
    confidence: finding.confidence,
    impact_usd: finding.impactNanoUsd / 1e9,
    trace_ids: finding.traceIds,
    folded: finding.folded,
    evidence: finding.evidence,
  }));
  const { graded, labels } = result;
  const grades = graded.labels.map(({ label, finding, delayRecords, delayMs, delayNanoUsd }) => ({
    series: label.series,
    from: iso(label.fromMs),
    until: iso(label.untilMs),
    found: finding !== null,
    kind: finding?.kind ?? null,
    delay_records: delayRecords,
    delay_seconds: delayMs / 1000,
    delay_usd: delayNanoUsd / 1e9,
  }));
  const quality = labels.length === 0 ? {} : { precision: graded.precision, recall: graded.recall, incidents: grades };
  lines.push({ records: result.records.length, ...perWeek(result), ...quality });
  return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
}

function textOf(result: Result): string {
  const { told, labels, graded, records } = result;
  const lines = told.map((finding) => {
    const { tenant: _tenant, ...names } = finding.series;
    const who = Object.values(names).join(" ") || `tenant ${finding.series.tenant ?? "any"}`;
    const also = finding.folded.map(({ effect }) => effect);
    const effects = [...new Set([finding.effect, ...also])].join(", ");
    return `${iso(finding.atMs)}  ${finding.severity.padEnd(6)}  ${finding.kind}  ${who}: ${effects} since ${iso(finding.onsetMs)}, ${displayUsd(finding.impactNanoUsd)} so far`;
  });
  const rates = perWeek(result);
  lines.push(
    `${records.length.toLocaleString("en-US")} records over ${(spanMs(records) / 3_600_000).toFixed(1)} h: ` +
      `${rates.pages} pages and ${rates.tickets} tickets, ${rates.pages_per_week?.toFixed(1) ?? "-"} pages a week at this rate`,
  );
  for (const { finding, label, delayRecords, delayMs, delayNanoUsd } of graded.labels) {
    const names = Object.values(label.series).join(" ");
    const delay = `${delayRecords} records, ${Math.round(delayMs / 1000)} s and ${displayUsd(delayNanoUsd)} after its onset`;
    lines.push(finding === null ? `missed: ${names} from ${iso(label.fromMs)}` : `found:  ${finding.kind} ${delay}`);
  }
  if (labels.length > 0) {
    const share = (value: number | null) => (value === null ? "-" : value.toFixed(2));
    lines.push(`precision ${share(graded.precision)}, recall ${share(graded.recall)}`);
  }
  return `${lines.join("\n")}\n`;
}

function perWeek({ told, records }: Result) {
  const pages = told.filter(({ severity }) => severity === "page").length;
  const span = spanMs(records);
  return { pages, tickets: told.length - pages, pages_per_week: span > 0 ? (pages * weekMs) / span : null };
}

function spanMs(records: readonly UsageRecord[]): number {
  return ((records.at(-1)?.endUs ?? 0) - (records[0]?.endUs ?? 0)) / 1000;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
