import { once } from "node:events";
import { createServer, request as httpRequest, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { createGzip, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type DecodeLimits, defaultDecodeLimits } from "../ingest/decoded-export.ts";
import { createIntake } from "./otlp-intake.ts";
import type { OtlpRequestEvent } from "./otlp-signal.ts";
import { type FaceOptions, type HttpHandler, httpHandler } from "./otlp-test-faces.ts";

const kibibyte = 1024;
const mebibyte = 1024 * 1024;
const small: DecodeLimits = { ...defaultDecodeLimits, bodyBytesMax: 64 * kibibyte, inflatedBytesMax: 256 * kibibyte };
/** The least there may be: the largest bodies that are held at once are five. */
const scarce = { limits: small, inFlightBytesMax: 320 * kibibyte };
const json = { "content-type": "application/json" };
const gzipped = { ...json, "content-encoding": "gzip" };

let server: Server | undefined;
let handler: HttpHandler | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  await handler?.close();
});

async function start(options: FaceOptions = {}): Promise<{ port: number; events: OtlpRequestEvent[] }> {
  const events: OtlpRequestEvent[] = [];
  handler = httpHandler({
    accept: async () => ({ kind: "accepted", rejected: [] }),
    observe: (event) => events.push(event),
    ...options,
  });
  server = createServer(handler.handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, events };
}

async function post(port: number, headers: Record<string, string>, body: Buffer | Readable) {
  const outgoing = httpRequest({ port, path: "/v1/traces", method: "POST", headers });
  // The server may close while the rest of the body is being written; the answer is what counts.
  outgoing.on("error", () => {});
  if (Buffer.isBuffer(body)) outgoing.end(body);
  else body.pipe(outgoing);
  const [response] = await once(outgoing, "response");
  return { status: response.statusCode, headers: response.headers, text: String(await buffer(response)) };
}

async function open(port: number, head: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {});
  socket.write(`POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${head}\r\n\r\n`);
  return socket;
}

function endless(chunkBytes: number): Readable {
  return Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(chunkBytes, " ");
    })(),
  );
}

describe("limits of size", () => {
  it("answers 413 to a body declared or found too large, also to a client that never stops sending", async () => {
    const { port, events } = await start(scarce);
    const large = Buffer.alloc(small.bodyBytesMax + 1, " ");
    const declared = await post(port, json, large);
    expect([declared.status, declared.headers.connection]).toEqual([413, "close"]);
    expect(JSON.parse(declared.text)).toEqual({ code: 8, message: expect.stringContaining("larger than 65536 bytes") });
    const chunked = await post(port, { ...json, "transfer-encoding": "chunked" }, Readable.from([large, large]));
    expect(chunked.status).toBe(413);
    const body = endless(64 * kibibyte);
    expect((await post(port, { ...json, "transfer-encoding": "chunked" }, body)).status).toBe(413);
    body.destroy();
    expect((await post(port, json, Buffer.from("{}"))).status).toBe(200);
    expect(events.map(({ status, wireBytes }) => [status, wireBytes])).toEqual([
      [413, 0],
      [413, 0],
      [413, 0],
      [200, 2],
    ]);
  });

  it("lets a client read the 413 that has sent all before it reads, then closes", async () => {
    const { port } = await start(scarce);
    const socket = await open(port, `Content-Length: ${4 * mebibyte}`);
    socket.pause();
    for (let sent = 0; sent < 4 * mebibyte; sent += 64 * kibibyte) {
      if (!socket.write(Buffer.alloc(64 * kibibyte, " "))) await once(socket, "drain");
    }
    const answer = String(await buffer(socket));
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain('{"code":8,"message":"the body is larger');
  });

  it("closes on a client that goes on sending after its 413", { timeout: 15_000 }, async () => {
    const { port } = await start(scarce);
    const socket = await open(port, `Content-Length: ${1024 * mebibyte}`);
    const body = endless(64 * kibibyte);
    body.pipe(socket);
    const started = Date.now();
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    await new Promise((resolve) => socket.once("close", resolve));
    body.destroy();
    expect(answer).toMatch(/^HTTP\/1.1 413 .*larger than 65536 bytes/s);
    expect(Date.now() - started).toBeLessThan(5000);
  });

  it("answers 413 to a gigabyte of zeros in a megabyte, within bounded memory", { timeout: 60_000 }, async () => {
    const zeros = Buffer.alloc(mebibyte);
    const bomb = await buffer(Readable.from(Array(1024).fill(zeros)).pipe(createGzip({ level: 9 })));
    expect(bomb.length).toBeGreaterThan(256 * kibibyte);
    const { port, events } = await start();
    const before = process.resourceUsage().maxRSS;
    const started = Date.now();
    expect(await post(port, gzipped, bomb)).toMatchObject({ status: 413, headers: { connection: "keep-alive" } });
    expect(Date.now() - started).toBeLessThan(5000);
    expect((process.resourceUsage().maxRSS - before) / 1024).toBeLessThan(256);
    expect(events[0]).toMatchObject({ status: 413, wireBytes: bomb.length, inflatedBytes: 0 });
  });

  it("answers 413 to bombs small enough to inflate on the spot", async () => {
    const { port } = await start(scarce);
    const zeros = Buffer.alloc(mebibyte);
    expect((await post(port, gzipped, gzipSync(zeros))).status).toBe(413);
    expect((await post(port, { ...json, "content-encoding": "zstd" }, zstdCompressSync(zeros))).status).toBe(413);
    expect((await post(port, gzipped, gzipSync(Buffer.from("{}")))).status).toBe(200);
  });
});

describe("limits of time and memory", () => {
  it("answers 408 to a body that trickles, and closes", async () => {
    const { port, events } = await start({ bodyDeadlineMs: 100 });
    const socket = await open(port, "Content-Length: 100");
    const trickle = setInterval(() => socket.write(" "), 20);
    const answer = String(await buffer(socket));
    clearInterval(trickle);
    const [head] = answer.split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1.1 408 .*\r\nconnection: close/is);
    expect(answer).toContain("the body did not arrive within 0.1 s");
    expect(events[0]?.status).toBe(408);
  });

  it("answers 429 at once while other requests hold the memory, and serves again when they leave", async () => {
    const { port, events } = await start(scarce);
    const held: Socket[] = [];
    for (let i = 0; i < 5; i++) held.push(await open(port, `Content-Length: ${small.bodyBytesMax}`));
    await sleep(50);
    const refused = await post(port, json, Buffer.from("{}"));
    expect([refused.status, refused.headers["retry-after"], refused.headers.connection]).toEqual([
      429,
      "1",
      "keep-alive",
    ]);
    const trickled = await post(port, { ...json, "transfer-encoding": "chunked" }, Readable.from([Buffer.from("{}")]));
    expect(trickled.status).toBe(429);
    for (const socket of held) socket.destroy();
    await vi.waitFor(() => expect(events.filter(({ status }) => status === 499)).toHaveLength(5));
    expect((await post(port, json, Buffer.from("{}"))).status).toBe(200);
  });

  it("answers other requests at once while a large body is decoded", async () => {
    const { port, events } = await start();
    const spans = Array.from({ length: 40_000 }, () => ({ traceId: "01".repeat(16), spanId: "02".repeat(8) }));
    const slow = post(port, json, Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] })));
    const quick: number[] = [];
    for (let i = 0; i < 5; i++) {
      const started = performance.now();
      expect((await post(port, json, Buffer.from("{}"))).status).toBe(200);
      quick.push(performance.now() - started);
    }
    expect(events.map(({ inflatedBytes }) => inflatedBytes)).toEqual([2, 2, 2, 2, 2]);
    expect((await slow).status).toBe(200);
    expect(Math.max(...quick)).toBeLessThan(100);
  });

  it("says to send protobuf where JSON alone is too large", async () => {
    const { port } = await start({ limits: { ...defaultDecodeLimits, jsonBytesMax: mebibyte } });
    const body = gzipSync(Buffer.from(`{"unknown":"${" ".repeat(2 * mebibyte)}"}`));
    const reply = await post(port, gzipped, body);
    expect([reply.status, JSON.parse(reply.text).message]).toEqual([413, expect.stringContaining("or send protobuf")]);
  });

  it("gives the memory back after every kind of answer and departure", async () => {
    let hang = true;
    const { port, events } = await start({
      ...scarce,
      bodyDeadlineMs: 200,
      accept: async () => {
        if (hang) await sleep(100);
        return { kind: "accepted", rejected: [] };
      },
    });
    // Gone in the middle of the body, gone while waiting for the answer, late, malformed, refused, accepted.
    (await open(port, "Content-Length: 1000\r\n\r\n{}")).destroy();
    const waiting = await open(port, "Content-Length: 2\r\n\r\n{}");
    await open(port, "Content-Length: 1000");
    await post(port, json, Buffer.from("nonsense"));
    await post(port, gzipped, gzipSync(Buffer.alloc(mebibyte)));
    waiting.destroy();
    await vi.waitFor(() => expect(events).toHaveLength(5));
    hang = false;
    const largest = gzipSync(Buffer.from(`{"unknown":"${" ".repeat(small.inflatedBytesMax - 20)}"}`));
    const padded = Buffer.concat([largest, Buffer.alloc(small.bodyBytesMax - largest.length)]);
    // The rest of the memory can be held as well.
    for (let i = 0; i < 4; i++) await open(port, `Content-Length: ${small.bodyBytesMax}`);
    await sleep(20);
    for (let i = 0; i < 3; i++) expect((await post(port, gzipped, padded)).status).toBe(200);
  });

  it("refuses a memory limit below one largest request", () => {
    expect(() => createIntake({ inFlightBytesMax: 1000 })).toThrow("must be at least 83886080");
  });
});
