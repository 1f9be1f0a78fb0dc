/** What `register` does: patches the two ways out of a Node process, opens the pipeline, says that it works. */

import { randomUUID } from "node:crypto";
import http from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import { hasForeignSdk } from "./ambient.ts";
import { allowBaggage } from "./baggage.ts";
import { watchBedrock } from "./bedrock.ts";
import { nowMs, recogniseCalls } from "./begin-call.ts";
import { openPipeline, type Pipeline } from "./delivery/pipeline.ts";
import type { ExitTarget } from "./delivery/send-at-exit.ts";
import { installExit } from "./exit.ts";
import { type FetchParts, watchFetch } from "./intercept/fetch.ts";
import { type Request, watchRequest } from "./intercept/http.ts";
import { acceptBaggage } from "./intercept/server.ts";
import { completenessKeys } from "./protocol.ts";
import { getRuntime, type Runtime } from "./runtime.ts";
import type { Settings } from "./settings.ts";
import { announce, logLine } from "./start-line.ts";
import { warnAboutUnseenCalls } from "./unseen-calls.ts";

/** Starts once per process; later calls, also of other copies of this package, do nothing. Never throws. */
export function start(): void {
  const runtime = getRuntime();
  if (!runtime.settings.enabled || runtime.pipeline !== undefined) return;
  try {
    const instanceId = randomUUID();
    const pipeline = openRuntimePipeline(runtime, instanceId);
    runtime.pipeline = pipeline;
    const parts = getParts(runtime);
    patch(parts);
    if (parts.baggage.any) acceptBaggage(runtime, parts.baggage);
    watchBedrock(runtime, pipeline, process.cwd());
    installExit(runtime, pipeline, exitTarget(runtime.settings, instanceId));
    announce(runtime);
    warnAboutUnseenCalls(runtime);
    if (runtime.settings.startsNodeSdk) setImmediate(() => void startOwnSdk(runtime));
  } catch (error) {
    logLine(runtime.settings, `not started: ${error instanceof Error ? error.message : "unknown error"}`);
  }
}

const partsByRuntime = new WeakMap<Runtime, FetchParts>();

/** The parts that interception shares, made once per process. */
export function getParts(runtime: Runtime): FetchParts {
  let parts = partsByRuntime.get(runtime);
  if (parts === undefined) {
    parts = { runtime, recognise: recogniseCalls(runtime), baggage: allowBaggage(runtime.settings.baggageHosts) };
    partsByRuntime.set(runtime, parts);
  }
  return parts;
}

function patch(parts: FetchParts): void {
  if (typeof globalThis.fetch === "function") globalThis.fetch = watchFetch(globalThis.fetch, parts);
  for (const [module, secure] of [
    [http, false],
    [https, true],
  ] as const) {
    const request = watchRequest(module.request as Request, parts, secure);
    module.request = request as typeof module.request;
    // Node's own `get` calls the unpatched `request` within its module.
    module.get = ((...parameters: unknown[]) => {
      const sent = request(...parameters);
      sent.end();
      return sent;
    }) as typeof module.get;
  }
  // ESM importers of `node:http` hold live bindings, which this updates.
  syncBuiltinESMExports();
}

/**
 * Only on request: an SDK that registers itself first locks out the one that the application may start a second later,
 * and its tracing with it.
 */
async function startOwnSdk(runtime: Runtime): Promise<void> {
  if (hasForeignSdk()) return;
  const { startNodeSdk } = await import("./delivery/node-sdk.ts");
  const stop = startNodeSdk(runtime.settings.serviceName);
  process.once("beforeExit", () => void stop());
}

function exitTarget(settings: Settings, instanceId: string): ExitTarget {
  const resource = {
    ...settings.resourceAttributes,
    "service.name": settings.serviceName,
    [completenessKeys.producer]: instanceId,
  };
  return { url: settings.endpoint, headers: settings.exportHeaders, resource, timeoutMs: settings.exitFlushMs };
}

function openRuntimePipeline(runtime: Runtime, instanceId: string): Pipeline {
  const { settings } = runtime;
  return openPipeline({
    load: async () => {
      const { openTransport } = await import("./delivery/transport.ts");
      return openTransport({
        serviceName: settings.serviceName,
        instanceId,
        exportTimeoutMs: settings.exportTimeoutMs,
      });
    },
    nowMs,
    log: (line) => logLine(settings, line),
  });
}
