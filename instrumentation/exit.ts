/** The last records of a process: open calls are ended, the final mark is set, all is sent within a stated time. */

import { nowMs } from "./begin-call.ts";
import type { Pipeline } from "./delivery/pipeline.ts";
import { type ExitTarget, sendAtExit } from "./delivery/send-at-exit.ts";
import type { Runtime } from "./runtime.ts";

const idleEndMs = 900_000;

/**
 * Flushes when the event loop runs empty and on SIGTERM and SIGINT, for at most `BURNWATCH_EXIT_FLUSH_MS`. A signal
 * that nobody else handles still ends the process afterwards. At `process.exit()` what is left is sent by a
 * short-lived process within the same time; 0 turns that off.
 */
export function installExit(runtime: Runtime, pipeline: Pipeline, target: ExitTarget): void {
  const { settings } = runtime;
  let marked = -1;
  process.on("beforeExit", () => {
    if (marked === pipeline.stats.recorded && runtime.callsInFlight.size === 0) return;
    void finish(runtime, pipeline).then(() => {
      marked = pipeline.stats.recorded;
    });
  });
  process.on("exit", () => {
    if (settings.exitFlushMs === 0 || pipeline.stats.recorded === 0) return;
    endCalls(runtime);
    pipeline.markFinal();
    const drafts = pipeline.takeUnsent();
    if (drafts.length > 0) sendAtExit(drafts, target);
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const onSignal = () => {
      const alone = process.listenerCount(signal) === 1;
      void finish(runtime, pipeline).then(() => {
        process.removeListener(signal, onSignal);
        if (alone) process.kill(process.pid, signal);
      });
    };
    process.on(signal, onSignal);
  }
  setInterval(() => endIdle(runtime), 60_000).unref();
}

/** Ends open calls, marks the end of the numbering and sends everything. */
async function finish(runtime: Runtime, pipeline: Pipeline): Promise<void> {
  endCalls(runtime);
  if (pipeline.stats.recorded === 0) return;
  pipeline.markFinal();
  await pipeline.flush(runtime.settings.exitFlushMs);
}

function endCalls(runtime: Runtime): void {
  for (const call of [...runtime.callsInFlight]) call.fail({ name: "unfinished" });
}

/** An answer that nobody has read from for 15 minutes will not be read any more. */
function endIdle(runtime: Runtime): void {
  const before = nowMs() - idleEndMs;
  for (const call of runtime.callsInFlight) if (call.lastActiveMs < before) call.fail({ name: "unfinished" });
}
