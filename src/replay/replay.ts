/** Replays a recorded trace against a running Burnwatch and says what the server made of it. */

import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import { checkEndpoint } from "./check-endpoint.ts";
import { readIncidents } from "./inject/incidents.ts";
import { inject } from "./inject/inject.ts";
import { Progress, type ProgressOptions } from "./progress.ts";
import { readTrace, type Trace } from "./read-trace.ts";
import type { ReplayCall } from "./replay-call.ts";
import { ReplayError } from "./replay-error.ts";
import { replayIds } from "./replay-ids.ts";
import { type Speed, schedule } from "./schedule.ts";
import { Sender } from "./send.ts";
import type { ServerAnswers, StoredReplay } from "./server-answers.ts";
import { sleep, sleepUntil } from "./sleep.ts";

export interface ReplayOptions {
  readonly file: string;
  /** By the file's header where undefined. */
  readonly format?: string | undefined;
  /** `now` moves the times so that the last call ends when it is sent; `original` keeps them. */
  readonly time: "now" | "original";
  readonly speed: Speed;
  /** YAML file of incidents. */
  readonly inject?: string | undefined;
  /** Another salt gives other ids: the same trace once more, as new records. */
  readonly salt: string;
  /** Of rows that name none. */
  readonly tenant?: string | undefined;
  readonly environment: string;
  readonly skipBad: boolean;
  /** URL of OTLP/HTTP traces. */
  readonly endpoint: string;
  /** No progress is shown. */
  readonly silent: boolean;
}

export interface ReplayIo {
  readonly server: ServerAnswers;
  /** For progress and remarks. */
  readonly stderr: ProgressOptions["stream"];
  readonly signal?: AbortSignal | undefined;
}

/** The first seven are the shape of `--json`; the server says all but `sent` and `seconds`. */
export interface ReplaySummary extends StoredReplay {
  readonly sent: number;
  readonly rejected: number;
  /** From the first span sent to the last acknowledged. */
  readonly seconds: number;
  readonly rejectedReasons: Readonly<Record<string, number>>;
  readonly badRows: number;
  readonly interrupted: boolean;
  /** First 16 digits of the trace ids. */
  readonly set: string;
}

/**
 * Sends the trace and returns when its records can be queried.
 * @throws ReplayError when the file, the incidents or the server do not allow it.
 */
export async function replay(options: ReplayOptions, io: ReplayIo): Promise<ReplaySummary> {
  const trace = await readTrace(options);
  for (const note of trace.badRowNotes) io.stderr.write(`skipped ${note}\n`);
  const { calls, injectHash } = await prepare(trace, options);
  await checkEndpoint(options.endpoint);
  if (options.time === "original") await checkRetention(trace, calls, io.server);
  const ids = replayIds({ fileHash: trace.fileHash, injectHash, salt: options.salt });
  const producer = randomUUID();
  const sending = await sendAll(calls, { options, io, ids, producer, originalZeroUs: originalZeroUs(trace, options) });
  const { stored, refused } = await ask(io.server, { set: ids.set, producer, sent: sending.sent });
  return {
    ...sending,
    ...stored,
    rejected: refused.rejected,
    rejectedReasons: refused.reasons,
    badRows: trace.badRows,
    set: ids.set,
  };
}

async function prepare(
  trace: Trace,
  options: ReplayOptions,
): Promise<{ calls: readonly ReplayCall[]; injectHash: string }> {
  const { tenant } = options;
  const owned =
    tenant === undefined ? trace.calls : trace.calls.map((call) => (call.tenant === "" ? { ...call, tenant } : call));
  if (options.inject === undefined) return { calls: owned, injectHash: "" };
  const file = await readIncidents(options.inject);
  const injection = { incidents: file.incidents, seed: file.seed ?? options.salt, zeroUs: trace.zeroUs };
  return { calls: inject(owned, injection), injectHash: file.hash };
}

function originalZeroUs(trace: Trace, options: ReplayOptions): number | undefined {
  return options.time === "original" ? trace.zeroUs : undefined;
}

async function checkRetention(trace: Trace, calls: readonly ReplayCall[], server: ServerAnswers): Promise<void> {
  if (trace.zeroUs === undefined) {
    throw new ReplayError("--time original: the file has no dates", { hint: "use --time now" });
  }
  const { rawRetentionDays } = await server.status();
  const firstMs = calls.reduce((first, call) => Math.min(first, call.startUs), 0) / 1000 + trace.zeroUs / 1000;
  const days = (Date.now() - firstMs) / 86_400_000;
  if (days <= rawRetentionDays) return;
  const date = new Date(firstMs).toISOString().slice(0, 10);
  throw new ReplayError(
    `--time original: the file begins on ${date}, ${Math.floor(days)} days ago, and the server keeps calls for ${rawRetentionDays} days`,
    { hint: "use --time now, or raise the server's retention" },
  );
}

interface Sending {
  readonly options: ReplayOptions;
  readonly io: ReplayIo;
  readonly ids: ReturnType<typeof replayIds>;
  readonly producer: string;
  readonly originalZeroUs: number | undefined;
}

type Sent = Pick<ReplaySummary, "sent" | "seconds" | "interrupted">;

async function sendAll(
  calls: readonly ReplayCall[],
  { options, io, ids, producer, originalZeroUs }: Sending,
): Promise<Sent> {
  const startMs = Date.now();
  const { zeroUs, dueMs } = schedule(calls, { speed: options.speed, nowMs: startMs, originalZeroUs });
  const progress = new Progress({
    stream: io.stderr,
    label: basename(options.file),
    unit: "spans",
    total: calls.length,
    silent: options.silent,
    now: Date.now,
  });
  const sender = new Sender({
    endpoint: options.endpoint,
    ids,
    producer,
    environment: options.environment,
    zeroUs,
    onDelivered: (spans) => progress.add(spans),
    now: Date.now,
    sleep,
  });
  progress.start();
  try {
    for (const call of calls) {
      if (dueMs(call) > Date.now()) {
        await sender.dispatch();
        await sleepUntil(dueMs(call), io.signal);
      }
      if (io.signal?.aborted === true) break;
      const room = sender.send(call);
      if (room !== undefined) await room;
    }
    await sender.finish();
  } finally {
    progress.stop();
    await sender.close();
  }
  return { sent: sender.sent, seconds: (Date.now() - startMs) / 1000, interrupted: io.signal?.aborted === true };
}

async function ask(server: ServerAnswers, { set, producer, sent }: { set: string; producer: string; sent: number }) {
  try {
    await server.settle();
    const [stored, refused] = await Promise.all([server.replay(set), server.producer(producer)]);
    return { stored, refused };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ReplayError(
      `${sent} spans were sent and acknowledged, but ${server.url} did not say what became of them: ${reason}`,
      {
        hint: "name the server's API with --api or BURNWATCH_URL and run the same command again: nothing is counted twice",
        cause: error,
      },
    );
  }
}
