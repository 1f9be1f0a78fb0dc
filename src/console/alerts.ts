/** `burnwatch alerts`: what is on fire, since when, and what it costs; and that it is the new normal. */

import { z } from "zod";
import { type ApiClient, createApiClient } from "./api-client.ts";
import { apiOption, defineCommand, UsageError } from "./command.ts";
import { plainText } from "./table.ts";
import { trustLine } from "./trust-line.ts";

const amountSchema = z.union([z.string(), z.number(), z.null()]).optional();

const alertSchema = z.object({
  fingerprint: z.string(),
  kind: z.string(),
  status: z.enum(["firing", "resolved"]),
  severity: z.string(),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  starts_at: z.string(),
  ends_at: z.string().nullish(),
  observed: amountSchema,
  expected: amountSchema,
  impact_usd: amountSchema,
});

/** Alerts are kept as they came, so that `--json` shows what this version does not know. */
const answerSchema = z.object({
  alerts: z.array(z.looseObject(alertSchema.shape)),
  completeness: z.number().nullable(),
  lag_seconds: z.number().nullable(),
  unpriced_share: z.number().nullish(),
  missing_spans: z.string().nullish(),
});

const acceptedSchema = z.object({ accepted: z.literal(true), alert: z.looseObject(alertSchema.shape) });

/** Until the detectors have heard of it. */
const heardWithinSeconds = 10;

type Alert = z.infer<typeof alertSchema>;

/** Alerts that fire, or all of them. */
export const alerts = defineCommand({
  name: "alerts",
  summary: "What is wrong now: each alert with its reason, since when, and what it costs.",
  positional: "[accept FINGERPRINT]",
  positionalsMax: 2,
  about: `accept says that what an alert tells of is the new normal: the alert ends, and what it was measured against is learnt
anew from then on. Until enough is learnt (some hundred calls, or an hour) nothing of it alerts.`,
  options: {
    all: { type: "boolean", help: "resolved alerts too" },
    status: { type: "string", value: "S", help: "only firing or only resolved ones" },
    json: { type: "boolean", help: "the answer as JSON" },
    ...apiOption,
  },
  examples: [
    "burnwatch alerts",
    "burnwatch alerts --all",
    "burnwatch alerts --status resolved --json",
    "burnwatch alerts accept 0f3a9c51d2e84b76",
  ],
  async run({ values, positionals }, io) {
    const { all, status, json } = values;
    const client = createApiClient({ api: values.api, env: io.env, signal: io.signal });
    if (positionals.length > 0) {
      const answer = await accept(client, positionals);
      io.stdout.write(json === true ? `${JSON.stringify(answer)}\n` : acceptedText(answer.alert));
      return 0;
    }
    if (status !== undefined && status !== "firing" && status !== "resolved") {
      throw new UsageError(`--status ${status}: expected firing or resolved`);
    }
    const everything = all === true || status === "resolved";
    const request = { path: "alerts", query: { all: everything ? "1" : undefined } };
    const answer = await client.json(request, answerSchema);
    const shown = answer.alerts.filter((alert) => status === undefined || alert.status === status);
    if (json === true) {
      io.stdout.write(`${JSON.stringify({ ...answer, alerts: shown })}\n`);
      return 0;
    }
    const empty = everything ? "No alerts.\n" : "Nothing is firing. Past alerts: burnwatch alerts --all\n";
    io.stdout.write(shown.length === 0 ? empty : shown.map((alert) => textOf(alert, Date.now())).join("\n"));
    const {
      completeness,
      lag_seconds: lagSeconds,
      unpriced_share: unpricedShare,
      missing_spans: missingSpans,
    } = answer;
    io.stdout.write(
      `${shown.length === 0 ? "" : "\n"}${trustLine({ completeness, lagSeconds, unpricedShare, missingSpans })}\n`,
    );
    return 0;
  },
});

async function accept(client: ApiClient, [action, fingerprint = ""]: readonly string[]) {
  if (action !== "accept" || !/^[0-9a-f]{16}$/.test(fingerprint))
    throw new UsageError(
      "expected accept and the fingerprint of one alert, 16 hex digits, as burnwatch alerts shows it",
    );
  const answer = await client.json({ method: "POST", path: `alerts/${fingerprint}/accept`, body: {} }, acceptedSchema);
  const settled = { method: "POST", path: "settle", body: { timeout_seconds: heardWithinSeconds } } as const;
  await client.json(settled, z.object({ settled: z.boolean() }));
  return answer;
}

function acceptedText({ kind, labels }: Alert): string {
  const { alertname: _, ...names } = labels;
  const who = Object.entries(names).map(([key, value]) => `${key}=${value}`);
  return plainText(`${kind}  ${who.join(" ")}: accepted as the new normal, learnt anew from now on`).concat("\n");
}

function textOf(alert: Alert, nowMs: number): string {
  const labels = Object.entries(alert.labels).map(([key, value]) => `${key}=${value}`);
  const { summary = alert.kind } = alert.annotations;
  const endMs = alert.ends_at == null ? undefined : Date.parse(alert.ends_at);
  const lasted = shownDuration((endMs ?? nowMs) - Date.parse(alert.starts_at));
  const lines = [
    `${alert.status.toUpperCase()} ${alert.severity}  ${alert.kind}  ${labels.join(" ")}`,
    `  ${summary}`,
    `  since ${alert.starts_at} (${endMs === undefined ? lasted : `ended after ${lasted}`})${amountsOf(alert)}`,
    ...causeOf(alert).map((line) => `  ${line}`),
    endMs === undefined
      ? `  new normal? burnwatch alerts accept ${alert.fingerprint}`
      : `  fingerprint ${alert.fingerprint}`,
  ];
  return `${lines.map(plainText).join("\n")}\n`;
}

/** What changed, as the detector saw it; then from the store, as far as it has answered. */
function causeOf({ annotations }: Alert): readonly string[] {
  const lines = ["changed", "cause", "cause_dollars", "cause_compared"] as const;
  const titles = { changed: "changed", cause: "cause", cause_dollars: "dollars", cause_compared: "compared" } as const;
  return lines.flatMap((name) => (annotations[name] === undefined ? [] : [`${titles[name]} ${annotations[name]}`]));
}

function amountsOf(alert: Alert): string {
  const amounts = [
    ["observed", alert.observed],
    ["expected", alert.expected],
    ["impact $", alert.impact_usd],
  ] as const;
  return amounts
    .map(([name, value]) => (value == null ? "" : `  ${name}${name.endsWith("$") ? "" : " "}${value}`))
    .join("");
}

function shownDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
