/** One suite over both OTLP faces: the same bodies get the same verdicts, the same limits hold. */

import { setTimeout as sleep } from "node:timers/promises";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as HttpExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { AcceptOutcome } from "../ingest/accept-outcome.ts";
import { type DecodeLimits, defaultDecodeLimits } from "../ingest/decoded-export.ts";
import { encodeOracle, type OtlpRequest } from "../ingest/otlp-oracle.ts";
import { type Face, type FaceOptions, type Protocol, startFace } from "./otlp-test-faces.ts";

const kibibyte = 1024;
const mebibyte = 1024 * 1024;
const small: DecodeLimits = { ...defaultDecodeLimits, bodyBytesMax: 64 * kibibyte, inflatedBytesMax: 256 * kibibyte };
/** The least there may be: the largest bodies that are held at once are five. */
const scarce = { limits: small, inFlightBytesMax: 320 * kibibyte };

const span = { traceId: "01".repeat(16), spanId: "02".repeat(8), name: "chat" };
const attributes = [{ key: "gen_ai.operation.name", value: { stringValue: "chat" } }];
const request: OtlpRequest = { resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, attributes }] }] }] };
const body = Buffer.from(encodeOracle(request));

/** A request with a span name of so many bytes, which compresses to nearly nothing where it is blank. */
function bodyOf(nameBytes: number, fill = " "): Buffer {
  const name = fill.repeat(nameBytes / fill.length);
  return Buffer.from(encodeOracle({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, name }] }] }] }));
}

/** Text that does not compress well. */
function noise(bytes: number): Buffer {
  const text = Array.from({ length: bytes / 10 }, (_, i) =>
    Math.sin(i + 1)
      .toString(36)
      .slice(-10),
  ).join("");
  const spans = [{ ...span, attributes, traceState: text }];
  return Buffer.from(encodeOracle({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
}

describe.each<Protocol>(["http", "grpc"])("OTLP over %s", (protocol) => {
  let face: Face | undefined;
  afterEach(() => face?.stop());
  const start = async (options: FaceOptions = {}) => {
    face = await startFace(protocol, options);
    return face;
  };
  const ok = protocol === "http" ? 200 : 0;

  it("hands the decoded spans on with their producer, and tells of the request", async () => {
    const { send, exports, producers, events } = await start();
    expect(await send(body)).toEqual({ kind: "taken", message: "" });
    expect(exports[0]?.[0]).toMatchObject(span);
    expect(producers).toEqual([{ address: "127.0.0.1", userAgent: "test/1" }]);
    const bytes = { wireBytes: body.length, inflatedBytes: body.length };
    const said = { protocol, telemetry: "traces", status: ok, kept: 1, other: 0, rejected: 0, ...bytes };
    await vi.waitFor(() => expect(events).toEqual([said]));
  });

  it.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["zstd", zstdCompressSync],
    ["identity", (bytes: Buffer) => bytes],
  ])("inflates %s, small and large", async (coding, compress) => {
    const { send, exports, events } = await start();
    const large = noise(800_000);
    expect(gzipSync(large).length).toBeGreaterThan(256 * kibibyte);
    for (const [index, each] of [body, large].entries()) {
      const wire = compress(each);
      expect(await send(wire, coding)).toEqual({ kind: "taken", message: "" });
      await vi.waitFor(() => expect(events).toHaveLength(index + 1));
      expect(events.at(-1)).toMatchObject({ wireBytes: wire.length, inflatedBytes: each.length, kept: 1 });
    }
    expect(exports).toHaveLength(2);
  });

  it("takes an empty request as a success", async () => {
    const { send, exports } = await start();
    expect(await send(Buffer.alloc(0))).toEqual({ kind: "taken", message: "" });
    expect(exports[0]).toEqual([]);
  });

  it("is understood by the exporter that applications use, plain and gzipped", async () => {
    const { url, exports } = await start();
    const Exporter = protocol === "http" ? HttpExporter : GrpcExporter;
    for (const compression of ["none", "gzip"] as const) {
      const exporter = new Exporter({
        url: protocol === "http" ? `${url}/v1/traces` : url,
        compression: compression as NonNullable<ConstructorParameters<typeof Exporter>[0]>["compression"] & string,
      });
      const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
      provider.getTracer("app", "1.0").startSpan("chat gpt-4o").setAttribute("gen_ai.usage.input_tokens", 12).end();
      await provider.shutdown();
      expect(exports.at(-1)?.[0]).toMatchObject({ name: "chat gpt-4o", scope: "app@1.0" });
      expect(exports.at(-1)?.[0]?.attributes).toEqual({ "gen_ai.usage.input_tokens": 12 });
    }
    expect(exports).toHaveLength(2);
  });

  it("reports rejected spans as partial success", async () => {
    const accept = async () => ({ kind: "accepted" as const, rejected: [{ index: 0, reason: "it is too old" }] });
    const { send, events } = await start({ accept });
    const bad = { ...span, traceId: "00" };
    const mixed = encodeOracle({ resourceSpans: [{ scopeSpans: [{ spans: [span, bad, bad] }] }] });
    expect(await send(mixed)).toEqual({
      kind: "taken",
      rejected: 3,
      message: "2 spans, the first at 1: the trace id must be 16 bytes, not all zero; span 0: it is too old",
    });
    await vi.waitFor(() => expect(events[0]).toMatchObject({ status: ok, kept: 1, rejected: 3 }));
  });

  it("calls what cannot be decoded malformed", async () => {
    const { send, exports, reports } = await start();
    expect(await send(Buffer.from("[broken"))).toEqual({
      kind: "malformed",
      message: expect.stringMatching(/^expected a/),
    });
    for (const coding of ["gzip", "deflate", "zstd"]) {
      for (const each of [body, Buffer.alloc(300_000, 7), gzipSync(body).subarray(0, 30)]) {
        const message = expect.stringContaining(`the body is not ${coding}`);
        expect(await send(each, coding)).toEqual({ kind: "malformed", message });
      }
    }
    expect([exports, reports]).toEqual([[], []]);
  });

  it("names the codings it knows to an unknown one", async () => {
    const { send } = await start();
    const message = expect.stringContaining("gzip, deflate, zstd, identity");
    for (const coding of ["br", "snappy"])
      expect(await send(body, coding)).toEqual({ kind: "coding unknown", message });
  });

  it("passes on overload and unavailability as retryable answers with the time to wait", async () => {
    const outcomes: AcceptOutcome[] = [
      { kind: "overloaded", retryAfterSeconds: 2.2 },
      { kind: "unavailable", retryAfterSeconds: 0, message: "the log is away" },
    ];
    const { send } = await start({ accept: async () => outcomes.shift() ?? { kind: "accepted", rejected: [] } });
    const overloaded = await send(body);
    expect(overloaded).toMatchObject({ kind: "again", retryAfterSeconds: 3 });
    expect(overloaded.message).toContain("overloaded");
    expect(await send(body)).toEqual({ kind: "again", message: "the log is away", retryAfterSeconds: 1 });
    expect(await send(body)).toEqual({ kind: "taken", message: "" });
  });

  it("tells the producer to retry when accept throws, and of a failure when the filter does", async () => {
    const failure = new Error("disk on fire");
    const accept = () => Promise.reject(failure);
    const { send, reports } = await start({ accept });
    const answer = await send(body);
    expect(answer).toMatchObject({ kind: "again", retryAfterSeconds: 5 });
    expect(answer.message).not.toContain("fire");
    expect(reports).toEqual([failure]);
    await face?.stop();
    const keepsSpan = () => {
      throw failure;
    };
    const broken = await start({ filter: { keepsAttribute: () => true, keepsSpan } });
    expect(await broken.send(body)).toEqual({ kind: "failed", message: "the collector failed on this request" });
    expect(broken.reports).toEqual([failure]);
  });

  it("refuses bodies above the limit, sent or inflated, and serves the next", async () => {
    const { send } = await start(scarce);
    expect(await send(noise(small.bodyBytesMax + 1000))).toMatchObject({ kind: "too large" });
    for (const [coding, compress] of [
      ["gzip", gzipSync],
      ["zstd", zstdCompressSync],
    ] as const) {
      const bomb = await send(compress(bodyOf(mebibyte)), coding);
      expect(bomb).toEqual({ kind: "too large", message: expect.stringContaining("larger than 262144 bytes") });
    }
    expect(await send(gzipSync(body), "gzip")).toEqual({ kind: "taken", message: "" });
  });

  it("refuses a gigabyte of zeros in a megabyte, within bounded memory", { timeout: 60_000 }, async () => {
    const bomb = gzipSync(Buffer.alloc(1024 * mebibyte - 1), { level: 9 });
    const { send, events } = await start();
    const before = process.resourceUsage().maxRSS;
    const started = Date.now();
    expect(await send(bomb, "gzip")).toMatchObject({ kind: "too large" });
    expect(Date.now() - started).toBeLessThan(5000);
    expect((process.resourceUsage().maxRSS - before) / kibibyte).toBeLessThan(256);
    await vi.waitFor(() => expect(events[0]).toMatchObject({ wireBytes: bomb.length, inflatedBytes: 0 }));
  });

  it("ends a body that does not arrive in time", async () => {
    const { begin, events } = await start({ bodyDeadlineMs: 100 });
    await begin(100, Buffer.from([0]));
    await vi.waitFor(() => expect(events[0]?.status).toBe(protocol === "http" ? 408 : 4), 4000);
  });

  it("asks to come again while other requests hold the memory, and serves when they leave", async () => {
    const { begin, send, events } = await start(scarce);
    const held = [];
    for (let i = 0; i < 5; i++) held.push(await begin(small.bodyBytesMax, Buffer.alloc(small.bodyBytesMax - 100)));
    await sleep(100);
    expect(await send(noise(1000))).toEqual({
      kind: "again",
      message: "too many bytes of other requests are in flight",
      retryAfterSeconds: 1,
    });
    for (const leave of held) leave();
    await vi.waitFor(() => expect(events).toHaveLength(6));
    expect(await send(body)).toEqual({ kind: "taken", message: "" });
  });

  it("answers what comes while a large body is decoded before that body", async () => {
    const { send } = await start();
    const spans = Array.from({ length: 40_000 }, () => ({ ...span, attributes }));
    const answered: string[] = [];
    const sent = async (name: string, bytes: Uint8Array, coding?: string) => {
      expect(await send(bytes, coding)).toEqual({ kind: "taken", message: "" });
      answered.push(name);
    };
    const large = sent("large", gzipSync(encodeOracle({ resourceSpans: [{ scopeSpans: [{ spans }] }] })), "gzip");
    for (let i = 0; i < 5; i++) await sent("small", body);
    await large;
    expect(answered).toEqual([...Array(5).fill("small"), "large"]);
  });

  it("counts what a request sent until it is answered, not what it is inflated to", async () => {
    let store = () => {};
    const stored = new Promise<void>((resolve) => (store = resolve));
    const { send, exports } = await start({
      ...scarce,
      accept: () => stored.then(() => ({ kind: "accepted", rejected: [] })),
    });
    const large = gzipSync(bodyOf(small.inflatedBytesMax - 100));
    const inflating = Array.from({ length: 5 }, () => send(large, "gzip"));
    const plain = Array.from({ length: 5 }, () => send(noise(small.bodyBytesMax - 4096)));
    await vi.waitFor(() => expect(exports).toHaveLength(10));
    expect(await send(noise(small.bodyBytesMax - 4096))).toMatchObject({ kind: "again" });
    store();
    for (const answer of [...inflating, ...plain]) expect(await answer).toEqual({ kind: "taken", message: "" });
    expect(await send(noise(small.bodyBytesMax - 4096))).toEqual({ kind: "taken", message: "" });
  });

  it("gives the memory back after every kind of answer and departure", async () => {
    let hang = true;
    const { begin, send, events } = await start({
      ...scarce,
      bodyDeadlineMs: 200,
      accept: async () => {
        if (hang) await sleep(100);
        return { kind: "accepted", rejected: [] };
      },
    });
    // Gone in the middle of the body, gone while waiting for the answer, late, malformed, a bomb.
    const leaving = await begin(1000, Buffer.from([0]));
    await sleep(20);
    leaving();
    const waiting = await begin(body.length, body);
    await sleep(20);
    waiting();
    await begin(1000);
    await send(Buffer.from("nonsense"));
    await send(gzipSync(bodyOf(mebibyte)), "gzip");
    await vi.waitFor(() => expect(events).toHaveLength(5), 4000);
    hang = false;
    const largest = gzipSync(bodyOf(small.inflatedBytesMax - 100));
    for (let i = 0; i < 3; i++) expect(await send(largest, "gzip")).toEqual({ kind: "taken", message: "" });
    // The answered memory is really free: all of it can be held again.
    const held = [];
    for (let i = 0; i < 4; i++) held.push(await begin(small.bodyBytesMax, Buffer.alloc(small.bodyBytesMax - 1)));
    await sleep(20);
    expect(await send(noise(50_000))).toEqual({ kind: "taken", message: "" });
    for (const leave of held) leave();
  });
});
