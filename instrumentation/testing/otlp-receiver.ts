/** A small OTLP/HTTP receiver (JSON) that keeps the spans it acknowledges. */

import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ReceivedSpan {
  readonly name: string;
  readonly scope: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  /** One entry a request. */
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[];
  /** Every body as it came, for searching. */
  readonly bodies: string[];
  /** What the next requests are answered with: 200 unless set. `silent` never answers. */
  answer: number | "silent";
  close(): Promise<void>;
}

type Wire = Record<string, never>;

/** Starts on `port`, by default a free one of 127.0.0.1. */
export async function startOtlpReceiver(port = 0): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    requests.push({ path: request.url ?? "", headers: request.headers });
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => take(Buffer.concat(chunks).toString("utf8"), response));
  });
  const take = (text: string, response: ServerResponse) => {
    bodies.push(text);
    if (receiver.answer === "silent") return;
    if (receiver.answer === 200) spans.push(...readSpans(JSON.parse(text) as Wire));
    response.writeHead(receiver.answer, { "content-type": "application/json" });
    response.end("{}");
  };
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const receiver: OtlpReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    bodies,
    answer: 200,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return receiver;
}

interface WireSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status?: { code?: number };
  attributes: WireAttribute[];
}

interface WireAttribute {
  key: string;
  value: Record<string, unknown>;
}

interface WireExport {
  resourceSpans: {
    resource: { attributes: WireAttribute[] };
    scopeSpans: { scope: { name: string }; spans: WireSpan[] }[];
  }[];
}

function readSpans(body: Wire): ReceivedSpan[] {
  const { resourceSpans } = body as unknown as WireExport;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        name: span.name,
        scope: scope.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? "",
        startNs: BigInt(span.startTimeUnixNano),
        endNs: BigInt(span.endTimeUnixNano),
        failed: span.status?.code === 2,
        attributes: readAttributes(span.attributes),
        resource: readAttributes(resource.attributes),
      })),
    ),
  );
}

function readAttributes(list: WireAttribute[]): Record<string, unknown> {
  return Object.fromEntries(list.map(({ key, value }) => [key, readValue(value)]));
}

function readValue(value: Record<string, unknown>): unknown {
  const array = value["arrayValue"] as { values: Record<string, unknown>[] } | undefined;
  if (array !== undefined) return array.values.map(readValue);
  if ("intValue" in value) return Number(value["intValue"]);
  return value["stringValue"] ?? value["doubleValue"] ?? value["boolValue"];
}
