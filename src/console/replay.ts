/** `burnwatch replay`: sends a recorded trace as real OTLP. */

import { displayUsd, parseUsd } from "../model/money.ts";
import { formats } from "../replay/formats/index.ts";
import { type ReplaySummary, replay as runReplay } from "../replay/replay.ts";
import type { Speed } from "../replay/schedule.ts";
import { createApiClient } from "./api-client.ts";
import { apiOption, type CommandIo, defineCommand, UsageError } from "./command.ts";
import { replayApi } from "./replay-api.ts";

const defaultEndpoint = "http://127.0.0.1:4318/v1/traces";

/** Replays a file against a server and says what became of it; fails where not everything sent was accepted. */
export const replay = defineCommand({
  name: "replay",
  positional: "FILE",
  summary: "Send a recorded trace (CSV, plain or gzip) as real OTLP, and say what the server made of it.",
  about: [
    "Ends when the records can be queried. Ids come from the file, the incidents and the salt: a second replay",
    "of the same file changes nothing. Recorded traces are in src/replay/data, incidents in src/replay/incidents.",
  ].join("\n"),
  options: {
    format: { type: "string", value: "NAME", help: `${formats.map(({ name }) => name).join(", ")} (by the header)` },
    time: { type: "string", value: "T", help: "now: the last call ends now; original: keep the file's dates (now)" },
    speed: { type: "string", value: "N", help: "so many times as fast as recorded, or max (max)" },
    inject: { type: "string", value: "FILE", help: "put the incidents of a YAML file into the trace" },
    tenant: { type: "string", value: "NAME", help: "tenant of calls that name none" },
    environment: { type: "string", value: "NAME", help: "deployment.environment.name (replay)" },
    salt: { type: "string", value: "TEXT", help: "another salt makes other ids: the same trace once more" },
    "skip-bad": { type: "boolean", help: "leave broken rows out instead of refusing the file" },
    endpoint: {
      type: "string",
      value: "URL",
      help: `OTLP/HTTP traces (OTEL_EXPORTER_OTLP_ENDPOINT, ${defaultEndpoint})`,
    },
    json: { type: "boolean", help: "the result as JSON, and no progress" },
    ...apiOption,
  },
  examples: [
    "burnwatch replay src/replay/data/AzureLLMInferenceTrace_conv.csv.gz",
    "burnwatch replay usage.csv --time original --skip-bad --json",
    "burnwatch replay src/replay/data/AzureLLMInferenceTrace_conv.csv.gz --speed 60 --inject src/replay/incidents/loop.yaml",
  ],
  async run({ values, positionals }, io) {
    const [file] = positionals;
    if (file === undefined) throw new UsageError("name a file to replay");
    const { time = "now", json = false } = values;
    if (time !== "now" && time !== "original") throw new UsageError(`--time ${time}: expected now or original`);
    const client = createApiClient({ api: values.api, env: io.env, signal: undefined });
    const summary = await runReplay(
      {
        file,
        format: values.format,
        time,
        speed: parseSpeed(values.speed ?? "max"),
        inject: values.inject,
        salt: values.salt ?? "",
        tenant: values.tenant,
        environment: values.environment ?? "replay",
        skipBad: values["skip-bad"] === true,
        endpoint: parseEndpoint(values.endpoint, io.env),
        silent: json,
      },
      { server: replayApi(client), stderr: io.stderr, signal: io.signal },
    );
    io.stdout.write(json ? `${JSON.stringify(jsonOf(summary))}\n` : textOf(summary));
    if (summary.interrupted) return 130;
    return summary.accepted < summary.sent ? 1 : 0;
  },
});

function parseSpeed(text: string): Speed {
  if (text === "max") return "max";
  const speed = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (speed > 0) return speed;
  throw new UsageError(`--speed ${text}: expected a number above 0, or max`);
}

/** As the OpenTelemetry specification has it: the general endpoint is a base, the one of traces is the whole URL. */
function parseEndpoint(given: string | undefined, env: CommandIo["env"]): string {
  const base = env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  const ofBase = base === undefined ? defaultEndpoint : `${base.replace(/\/+$/, "")}/v1/traces`;
  const endpoint = given ?? env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? ofBase;
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint)) {
    throw new UsageError(`--endpoint ${endpoint}: expected a URL like ${defaultEndpoint}`);
  }
  // A bare host is what people type.
  const url = new URL(endpoint);
  return url.pathname === "/" ? new URL("/v1/traces", url).href : endpoint;
}

function jsonOf(summary: ReplaySummary) {
  return {
    sent: summary.sent,
    accepted: summary.accepted,
    rejected: summary.rejected,
    input_tokens: summary.inputTokens,
    output_tokens: summary.outputTokens,
    cost_usd: summary.costUsd,
    seconds: summary.seconds,
  };
}

function textOf(summary: ReplaySummary): string {
  const rate = Math.round(summary.sent / Math.max(summary.seconds, 0.001));
  const reasons = Object.entries(summary.rejectedReasons).map(([reason, calls]) => `${reason}: ${count(calls)}`);
  const unpriced = summary.unpricedCalls > 0 ? ` and ${count(summary.unpricedCalls)} calls without a known price` : "";
  const missing = summary.sent - summary.accepted - summary.rejected;
  return [
    `sent      ${count(summary.sent)} calls in ${summary.seconds.toFixed(1)} s (${count(rate)} a second)`,
    ...(summary.badRows > 0 ? [`skipped   ${count(summary.badRows)} broken rows`] : []),
    `accepted  ${count(summary.accepted)}`,
    `rejected  ${count(summary.rejected)}${reasons.length > 0 ? ` (${reasons.join(", ")})` : ""}`,
    ...(missing > 0
      ? [`missing   ${count(missing)}: neither accepted nor rejected; burnwatch doctor may know why`]
      : []),
    `tokens    ${count(summary.inputTokens)} in, ${count(summary.outputTokens)} out`,
    `cost      ${summary.costUsd === null ? "unknown" : displayUsd(parseUsd(summary.costUsd))}${unpriced}`,
    ...(summary.interrupted ? ["interrupted: the rest of the trace was not sent"] : []),
    "",
  ].join("\n");
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
