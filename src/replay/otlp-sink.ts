/** An OTLP/JSON receiver for tests: keeps every span it has acknowledged, and answers otherwise where a test says so. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";

export type Value = string | number | boolean | readonly Value[];

export interface SunkSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly startNs: string;
  readonly endNs: string;
  readonly statusCode: number | undefined;
  readonly attributes: Readonly<Record<string, Value>>;
  readonly resource: Readonly<Record<string, Value>>;
}

export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface OtlpSink {
  readonly url: string;
  readonly spans: SunkSpan[];
  /** Most exports that were open at the same time. */
  openMost: number;
  /** Answer to the nth export with spans (from 1), before it is kept; undefined keeps it. "cut" breaks the connection. */
  answer: (request: number) => Refusal | "cut" | undefined;
  delayMs: number;
  stop(): Promise<void>;
}

const anyValueSchema: z.ZodType<Value> = z.lazy(() =>
  z.union([
    z.object({ stringValue: z.string() }).transform((value) => value.stringValue),
    z.object({ intValue: z.union([z.number(), z.string()]) }).transform((value) => Number(value.intValue)),
    z.object({ doubleValue: z.number() }).transform((value) => value.doubleValue),
    z.object({ boolValue: z.boolean() }).transform((value) => value.boolValue),
    z
      .object({ arrayValue: z.object({ values: z.array(anyValueSchema) }) })
      .transform((value) => value.arrayValue.values),
  ]),
);
const attributesSchema = z
  .array(z.object({ key: z.string(), value: anyValueSchema }))
  .transform((pairs) => Object.fromEntries(pairs.map(({ key, value }) => [key, value])));
const spanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  status: z.object({ code: z.number().optional() }).optional(),
  attributes: attributesSchema,
});
const exportSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: attributesSchema }),
      scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })),
    }),
  ),
});

/** Starts a receiver on a free port of the loopback. */
export async function startOtlpSink(): Promise<OtlpSink> {
  let open = 0;
  let requests = 0;
  const server = createServer(async (request, response) => {
    sink.openMost = Math.max(sink.openMost, ++open);
    const spans = decode(await bodyOf(request));
    if (sink.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, sink.delayMs));
    open--;
    if (spans.length > 0) requests++;
    const refusal = spans.length > 0 ? sink.answer(requests) : undefined;
    if (refusal === "cut") return void request.socket.destroy();
    if (refusal === undefined) sink.spans.push(...spans);
    reply(response, refusal ?? { status: 200, headers: { "content-type": "application/json" }, body: "{}" });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const sink: OtlpSink = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    spans: [],
    openMost: 0,
    answer: () => undefined,
    delayMs: 0,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return sink;
}

function reply(response: ServerResponse, { status, headers = {}, body = "" }: Refusal): void {
  response.writeHead(status, headers).end(body);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function decode(body: string): SunkSpan[] {
  return exportSchema.parse(JSON.parse(body)).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map(({ startTimeUnixNano, endTimeUnixNano, status, parentSpanId, ...span }) => ({
        ...span,
        parentSpanId,
        startNs: startTimeUnixNano,
        endNs: endTimeUnixNano,
        statusCode: status?.code,
        resource: resource.attributes,
      })),
    ),
  );
}
