/** An exporter that never gives up: sends OTLP/JSON and repeats each request until it is acknowledged. */

import { randomBytes } from "node:crypto";

export interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** What gpt-4o costs at $2.50 and $10 per million tokens, in nano-dollars. */
  readonly nanoUsd: number;
}

export interface LoadOptions {
  readonly tracesUrl: string;
  readonly spansPerRequest: number;
  readonly stop: AbortSignal;
  /** Told of each acknowledged request. */
  readonly acked: (spans: readonly SentSpan[]) => void;
}

/** Sends until it is told to stop; the request at hand is repeated until it is acknowledged. */
export async function sendUntilStopped(options: LoadOptions): Promise<void> {
  while (!options.stop.aborted) {
    const { body, sent } = exportRequest(options.spansPerRequest, Date.now());
    await postUntilAcked(options.tracesUrl, body);
    options.acked(sent);
  }
}

/** Posts one request until it is answered 200; lost connections, 429 and 503 are tried again. */
export async function postUntilAcked(url: string, body: string): Promise<void> {
  for (;;) {
    try {
      const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
      const text = await answer.text();
      if (answer.ok && !text.includes("rejectedSpans")) return;
      if (answer.status !== 429 && answer.status !== 503) throw new UnexpectedAnswer(`${answer.status} ${text}`);
    } catch (error) {
      if (error instanceof UnexpectedAnswer) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

class UnexpectedAnswer extends Error {}

/** One OTLP/JSON request of chat spans with random ids, times around `atMs`. */
export function exportRequest(spans: number, atMs: number, tenant = "load"): { body: string; sent: SentSpan[] } {
  const sent: SentSpan[] = [];
  const otlpSpans = Array.from({ length: spans }, () => {
    const input = 1 + Math.floor(Math.random() * 5000);
    const output = 1 + Math.floor(Math.random() * 500);
    const one = {
      traceId: randomBytes(16).toString("hex"),
      spanId: randomBytes(8).toString("hex"),
      nanoUsd: input * 2500 + output * 10_000,
    };
    sent.push(one);
    return {
      traceId: one.traceId,
      spanId: one.spanId,
      name: "chat gpt-4o",
      kind: 3,
      startTimeUnixNano: `${atMs - 1000}000000`,
      endTimeUnixNano: `${atMs}000000`,
      attributes: [
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o"),
        text("burnwatch.tenant", tenant),
        text("burnwatch.feature", `feature-${input % 7}`),
        integer("gen_ai.usage.input_tokens", input),
        integer("gen_ai.usage.output_tokens", output),
      ],
    };
  });
  const request = {
    resourceSpans: [
      {
        resource: { attributes: [text("service.name", "load")] },
        scopeSpans: [{ scope: { name: "test" }, spans: otlpSpans }],
      },
    ],
  };
  return { body: JSON.stringify(request), sent };
}

function text(key: string, value: string) {
  return { key, value: { stringValue: value } };
}

function integer(key: string, value: number) {
  return { key, value: { intValue: String(value) } };
}
