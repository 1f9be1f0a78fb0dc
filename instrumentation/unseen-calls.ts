/** One warning when hosts of models are contacted and no call is seen: the interception is going past its target. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { modelHostProvider } from "./clients/provider.ts";
import type { Runtime } from "./runtime.ts";
import { logLine } from "./start-line.ts";

const bedrock = "aws.bedrock";
const remedies: Readonly<Record<string, string>> = {
  [bedrock]:
    "unsupported without @opentelemetry/instrumentation-aws-sdk (0.79 or newer) in the application's node_modules, and in bundles.",
};
const remedy = "Import @burnwatch/instrumentation/register first, or give the client wrapFetch(fetch).";

/**
 * Listens to Node's own channels, which see every client of undici, `node:http` and (not yet in Node 22.15)
 * `node:http2`, until a call or the warning. A process that ends earlier is warned at its end where the host serves
 * nothing but calls.
 */
export function warnAboutUnseenCalls(runtime: Runtime, graceMs = 60_000): void {
  const { counters, settings } = runtime;
  let host: string | undefined;
  let provider: string | null = null;
  let sinceMs = 0;
  const notice = (contacted: string | undefined) => {
    if (counters.calls > 0) {
      stop();
      return;
    }
    if (host !== undefined || contacted === undefined) return;
    provider = modelHostProvider(contacted, settings.providers);
    if (provider === null) return;
    host = contacted;
    sinceMs = performance.now();
    setTimeout(warn, graceMs).unref();
  };
  const warn = () => {
    stop();
    if (counters.calls > 0) return;
    const seconds = Math.round((performance.now() - sinceMs) / 100) / 10;
    const how = remedies[provider ?? ""] ?? remedy;
    logLine(settings, `WARNING ${host} was contacted ${seconds} s ago and no call was seen. ${how}`);
  };
  const onExit = () => {
    if (provider === bedrock) warn();
  };
  const onUndici = (message: unknown) => {
    const origin = (message as { request?: { origin?: unknown } }).request?.origin;
    notice(origin === undefined ? undefined : hostOf(String(origin)));
  };
  const onHttp = (message: unknown) => {
    notice((message as { request?: { host?: string } }).request?.host);
  };
  const onHttp2 = (message: unknown) => {
    const authority = (message as { headers?: Record<string, unknown> }).headers?.[":authority"];
    notice(typeof authority === "string" ? authority : undefined);
  };
  const listeners = [
    ["undici:request:create", onUndici],
    ["http.client.request.start", onHttp],
    ["http2.client.stream.created", onHttp2],
  ] as const;
  const stop = () => {
    process.removeListener("exit", onExit);
    for (const [channel, listener] of listeners) unsubscribe(channel, listener);
  };
  process.on("exit", onExit);
  for (const [channel, listener] of listeners) subscribe(channel, listener);
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
