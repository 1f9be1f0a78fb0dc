/** A local server in place of Datadog's agent and of Sentry: takes everything, keeps what arrived. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

export interface VendorSink {
  /** Environment of an application whose vendors shall send here: no account, no other traffic. */
  readonly environment: Readonly<Record<string, string>>;
  /** Bodies, unzipped, in order of arrival. */
  readonly received: { readonly path: string; readonly body: Buffer }[];
  close(): Promise<void>;
}

/** Starts on a free port of 127.0.0.1. */
export async function startVendorSink(): Promise<VendorSink> {
  const received: { path: string; body: Buffer }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const bytes = Buffer.concat(chunks);
      const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes;
      received.push({ path: request.url ?? "", body });
      response.setHeader("content-type", "application/json");
      response.end(request.url === "/info" ? '{"endpoints":["/v0.4/traces"],"version":"7.70.0"}' : "{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    environment: {
      DD_TRACE_AGENT_URL: `http://${host}`,
      DD_INSTRUMENTATION_TELEMETRY_ENABLED: "false",
      DD_REMOTE_CONFIGURATION_ENABLED: "false",
      DD_TRACE_STARTUP_LOGS: "false",
      SENTRY_DSN: `http://key@${host}/1`,
      SENTRY_TRACES_SAMPLE_RATE: "1",
    },
    received,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
