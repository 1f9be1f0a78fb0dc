/**
 * From the acknowledgement of the record that crosses the threshold to the arrival of the webhook: series with half an
 * hour of calm behind them each send one dear record at a moment of their own.
 */

import { randomBytes } from "node:crypto";
import type { BenchOptions, Cell, Table } from "./bench.ts";
import { type Exporters, startExporters } from "./load.ts";
import { attributesOf, payloadHeaders } from "./payload.ts";
import { clockUs } from "./process-stats.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { percentile } from "./statistics.ts";
import { startWebhook, type Webhook } from "./webhook.ts";

const seriesPerRun = 40;
const historyMinutes = 30;
const callsPerMinute = 4;
/** Of gpt-4o, where a million input tokens cost $2.50: a cent a minute, and then two dollars and a half at once. */
const [calmTokens, spikeTokens] = [1000, 1_000_000];
const gapMs = { least: 100, most: 400 };
const [loadSpansPerSecond, loadExporters, spansPerBody] = [5000, 10, 500];
const alertsWithinMs = 30_000;
const minuteMs = 60_000;

interface Spikes {
  readonly run: number;
  readonly server: ServerProcess;
  readonly webhook: Webhook;
}

export async function measureAlertDelay({ runs, progress }: BenchOptions): Promise<Table> {
  const webhook = await startWebhook();
  const server = await startServerProcess({ environment: { BURNWATCH_WEBHOOK: webhook.url } });
  const exporters = startExporters();
  const delays: { quiet: (number | null)[]; loaded: (number | null)[] } = { quiet: [], loaded: [] };
  try {
    for (let run = 1; run <= runs; run++) {
      progress(`${seriesPerRun} alerts from a quiet server, run ${run} of ${runs}`);
      delays.quiet.push(...(await spikeSeries("quiet", { run, server, webhook })));
      progress(`${seriesPerRun} alerts under load, run ${run} of ${runs}`);
      delays.loaded.push(...(await spikeUnderLoad(exporters, { run, server, webhook })));
    }
  } finally {
    exporters.stop();
    await server.stop();
    webhook.stop();
  }
  return {
    title: `acknowledged spike to webhook, ${seriesPerRun} series x ${runs} runs`,
    columns: [
      { title: "server" },
      { title: "alerts", digits: 0 },
      { title: "missing", digits: 0 },
      { title: "p50 ms", digits: 0 },
      { title: "p99 ms", digits: 0 },
      { title: "longest ms", digits: 0 },
    ],
    rows: [rowOf("quiet", delays.quiet), rowOf(`${loadSpansPerSecond} spans/s`, delays.loaded)],
    notes: [
      `Each series: ${historyMinutes} calm minutes of ${callsPerMinute} calls, sent at once with times of the past; then one record of $2.50, ${gapMs.least} to ${gapMs.most} ms after that of the series before it.`,
      "Percentiles over the spikes of all runs. The receiver of the webhook and the sender of the spikes are the bench itself.",
    ],
  };
}

function rowOf(name: string, delays: readonly (number | null)[]): Cell[] {
  const arrived = delays.filter((delay) => delay !== null);
  const missing = delays.length - arrived.length;
  return [name, arrived.length, missing, ...[0.5, 0.99, 1].map((share) => percentile(arrived, share))];
}

async function spikeUnderLoad(exporters: Exporters, spikes: Spikes): Promise<(number | null)[]> {
  const seconds = (seriesPerRun * gapMs.most) / 1000 + 5;
  const bodies = Math.ceil((seconds * loadSpansPerSecond) / spansPerBody);
  await exporters.prepare({ format: "protobuf", bodies, spansPerBody });
  const { tracesUrl } = spikes.server;
  const load = exporters.send({
    url: tracesUrl,
    exporters: loadExporters,
    spansPerSecond: loadSpansPerSecond,
    from: 0,
    to: bodies,
  });
  const [delays] = await Promise.all([spikeSeries("loaded", spikes), load]);
  await spikes.server.settle();
  return delays;
}

/** Milliseconds from ack to webhook of each series, null where none came. */
async function spikeSeries(name: string, { run, server, webhook }: Spikes): Promise<(number | null)[]> {
  const tenants = Array.from({ length: seriesPerRun }, (_, index) => `${name}-${run}-${index}`);
  const thisMinute = Math.floor(Date.now() / minuteMs);
  for (const tenant of tenants) {
    const calm = Array.from({ length: historyMinutes * callsPerMinute }, (_, call) => {
      const minute = thisMinute - historyMinutes + Math.floor(call / callsPerMinute);
      return { endMs: minute * minuteMs + 1000 + (call % callsPerMinute) * 10_000, inputTokens: calmTokens };
    });
    await post(server.tracesUrl, tenant, calm);
  }
  await server.settle();
  const ackedUs = new Map<string, number>();
  for (const tenant of tenants) {
    await pause(gapMs.least + Math.random() * (gapMs.most - gapMs.least));
    await post(server.tracesUrl, tenant, [{ endMs: Date.now(), inputTokens: spikeTokens }]);
    ackedUs.set(tenant, clockUs());
  }
  await webhook.waitFor(tenants, alertsWithinMs);
  return tenants.map((tenant) => {
    const arrivedUs = webhook.firingAtUs(tenant);
    return arrivedUs === undefined ? null : (arrivedUs - (ackedUs.get(tenant) ?? 0)) / 1000;
  });
}

interface Call {
  readonly endMs: number;
  readonly inputTokens: number;
}

async function post(url: string, tenant: string, calls: readonly Call[]): Promise<void> {
  const spans = calls.map(({ endMs, inputTokens }) => ({
    traceId: randomBytes(16).toString("hex"),
    spanId: randomBytes(8).toString("hex"),
    name: "chat gpt-4o",
    kind: 3,
    startTimeUnixNano: `${endMs - 500}000000`,
    endTimeUnixNano: `${endMs}000000`,
    attributes: attributesOf({
      "gen_ai.operation.name": { stringValue: "chat" },
      "gen_ai.provider.name": { stringValue: "openai" },
      "gen_ai.request.model": { stringValue: "gpt-4o" },
      "gen_ai.usage.input_tokens": { intValue: String(inputTokens) },
      "gen_ai.usage.output_tokens": { intValue: "0" },
      "burnwatch.tenant": { stringValue: tenant },
      "burnwatch.feature": { stringValue: "answer" },
    }),
  }));
  const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
  for (;;) {
    const answer = await fetch(url, { method: "POST", headers: payloadHeaders.json, body });
    const text = await answer.text();
    if (answer.ok) return;
    if (answer.status !== 429) throw new Error(`the server answered ${answer.status}: ${text}`);
    await pause(100);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
