/** Asks an OTLP/HTTP endpoint, before a long replay, whether it is there. */

import { ReplayError } from "./replay-error.ts";

const timeoutMs = 10_000;

/**
 * Sends an export without spans, which every OTLP receiver accepts. Busy (429, 503) or unwilling (401) is left to the exporter, which
 * knows how to wait and which headers to send.
 * @throws ReplayError when nobody answers, or somebody who knows no such path.
 */
export async function checkEndpoint(endpoint: string): Promise<void> {
  let response: Response;
  try {
    response = await fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"resourceSpans":[]}',
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    throw new ReplayError(
      `no Burnwatch at ${endpoint}${reasonOf(error)}: start one with npm start, or name its OTLP endpoint with --endpoint`,
      { cause: error },
    );
  }
  await response.body?.cancel();
  if (response.status === 404 || response.status === 405) {
    throw new ReplayError(`${endpoint} answers HTTP ${response.status}: it takes no OTLP/HTTP traces`, {
      hint: "the path is usually /v1/traces",
    });
  }
}

/** The reason, where it is another than that nobody listens there. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (!(cause instanceof Error) || ("code" in cause && cause.code === "ECONNREFUSED")) return "";
  return ` (${cause.message})`;
}
