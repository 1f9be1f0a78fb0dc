/** One warning when hosts of models are contacted and no call is seen: the interception is going past its target. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { isKnownModelHost } from "./clients/provider.ts";
import type { Runtime } from "./runtime.ts";
import { logLine } from "./start-line.ts";

/** Listens to Node's own channels, which see every client of undici and `node:http`, until a call or the warning. */
export function warnAboutUnseenCalls(runtime: Runtime, graceMs = 60_000): void {
  let host: string | undefined;
  const notice = (contacted: string | undefined) => {
    if (runtime.counters.calls > 0) {
      stop();
      return;
    }
    if (host !== undefined || contacted === undefined || !isKnownModelHost(contacted)) return;
    host = contacted;
    setTimeout(() => {
      stop();
      if (runtime.counters.calls > 0) return;
      logLine(
        runtime.settings,
        `WARNING ${host} was contacted ${graceMs / 1000} s ago and no call was seen. Import @burnwatch/instrumentation/register first, or give the client wrapFetch(fetch).`,
      );
    }, graceMs).unref();
  };
  const onUndici = (message: unknown) => {
    const origin = (message as { request?: { origin?: unknown } }).request?.origin;
    notice(origin === undefined ? undefined : hostOf(String(origin)));
  };
  const onHttp = (message: unknown) => {
    notice((message as { request?: { host?: string } }).request?.host);
  };
  const stop = () => {
    unsubscribe("undici:request:create", onUndici);
    unsubscribe("http.client.request.start", onHttp);
  };
  subscribe("undici:request:create", onUndici);
  subscribe("http.client.request.start", onHttp);
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).hostname : undefined;
}
