/** What only gRPC can get wrong: frames, services, streams, connections and their end. */

import { once } from "node:events";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { connect as connectSocket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, expect, it, vi } from "vitest";
import { defaultDecodeLimits } from "../ingest/decoded-export.ts";
import { encodeOracle } from "../ingest/otlp-oracle.ts";
import { type Face, framed, grpcCall, grpcVerdict, startFace } from "./otlp-test-faces.ts";

const attributes = [{ key: "gen_ai.operation.name", value: { stringValue: "chat" } }];
const span = { traceId: "01".repeat(16), spanId: "02".repeat(8), name: "chat", attributes };
const body = Buffer.from(encodeOracle({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
const taken = { kind: "taken", message: "" };

let face: Face;
let session: ClientHttp2Session;
afterEach(async () => {
  session.destroy();
  await face.stop();
});

async function start(options: Parameters<typeof startFace>[1] = {}): Promise<void> {
  face = await startFace("grpc", options);
  session = connect(face.url);
  session.on("error", () => {});
}

it("answers UNIMPLEMENTED to services and methods it does not have, and says so of logs", async () => {
  await start();
  const logs = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
  const answer = await grpcCall(session, framed(body), { path: logs });
  expect([answer.headers["grpc-status"], decodeURIComponent(String(answer.headers["grpc-message"]))]).toEqual([
    "12",
    "logs are not taken here, only traces",
  ]);
  for (const path of ["/x.Y/Z", "/", "/opentelemetry.proto.collector.trace.v1.TraceService/Delete", "/\u00ff%00"]) {
    expect((await grpcCall(session, framed(body), { path })).headers["grpc-status"]).toBe("12");
  }
  expect(face.exports).toEqual([]);
  expect(grpcVerdict(await grpcCall(session, framed(body)))).toEqual(taken);
});

it("answers 415 to what is no gRPC", async () => {
  await start();
  const answer = await grpcCall(session, body, { "content-type": "application/x-protobuf" });
  expect(answer.httpStatus).toBe(415);
});

it("takes an uncoded message under a coding that was announced", async () => {
  await start();
  expect(grpcVerdict(await grpcCall(session, framed(body, false), { "grpc-encoding": "gzip" }))).toEqual(taken);
});

it("lists the codings in a header where one is unknown", async () => {
  await start();
  const { headers } = await grpcCall(session, framed(body, true), { "grpc-encoding": "snappy" });
  expect([headers["grpc-status"], headers["grpc-accept-encoding"]]).toEqual(["12", "gzip,deflate,zstd,identity"]);
});

it("refuses broken frames: none, two, one that claims four gigabytes", async () => {
  await start();
  expect((await grpcCall(session, Buffer.alloc(0))).headers["grpc-status"]).toBe("12");
  expect((await grpcCall(session, Buffer.concat([framed(body), framed(body)]))).headers["grpc-status"]).toBe("12");
  expect((await grpcCall(session, framed(body, false, 2 ** 32 - 1))).headers["grpc-status"]).toBe("8");
  await vi.waitFor(() => expect(face.events).toHaveLength(3));
  expect(face.exports).toEqual([]);
  expect(grpcVerdict(await grpcCall(session, framed(body)))).toEqual(taken);
});

it("does not wait for ever for the end of a stream whose message has come", async () => {
  await start({ bodyDeadlineMs: 100 });
  const answer = await grpcCall(session, framed(body), { end: false });
  expect(grpcVerdict(answer)).toMatchObject({ kind: "too slow" });
});

it("closes the stream of a client that goes on sending after its answer", { timeout: 15_000 }, async () => {
  await start({ bodyDeadlineMs: 100 });
  const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc" });
  stream.on("error", () => {}).on("data", () => {});
  stream.write(framed(Buffer.alloc(10), false, 1_000_000));
  const trickle = setInterval(() => stream.write(" "), 20);
  await once(stream, "close");
  clearInterval(trickle);
  expect(face.events[0]).toMatchObject({ status: 4 });
});

it("gives the memory back of clients that leave while their message is inflated, or before its end", async () => {
  const text = Array.from({ length: 400_000 }, (_, i) => Math.sin(i).toString(36).slice(-10)).join("");
  const large = gzipSync(
    encodeOracle({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, traceState: text }] }] }] }),
  );
  const limits = { ...defaultDecodeLimits, bodyBytesMax: large.length, inflatedBytesMax: 5_000_000 };
  await start({ limits, inFlightBytesMax: limits.bodyBytesMax + limits.inflatedBytesMax });
  const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  const met = () => face.events.filter(({ wireBytes }) => wireBytes > 0).length;
  let left = 0;
  // On a slow machine the first ones leave before their message has come.
  for (; left < 20 || (met() <= 5 && left < 100); left++) {
    const headers = { "content-type": "application/grpc", "grpc-encoding": "gzip" };
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    const closed = once(stream.on("error", () => {}).resume(), "close");
    await new Promise<void>((sent) => stream.end(framed(large, true), sent));
    await sleep(2 * left);
    stream.close(constants.NGHTTP2_CANCEL);
    await closed;
  }
  await vi.waitFor(() => expect(face.events).toHaveLength(left));
  await sleep(200);
  expect(met()).toBeGreaterThan(5);
  expect(grpcVerdict(await grpcCall(session, framed(large, true), { "grpc-encoding": "gzip" }))).toEqual(taken);
});

it("serves a hundred calls of one connection at once", async () => {
  let running = 0;
  let most = 0;
  await start({
    async accept() {
      most = Math.max(most, ++running);
      await sleep(50);
      running--;
      return { kind: "accepted", rejected: [] };
    },
  });
  const answers = await Promise.all(Array.from({ length: 250 }, () => grpcCall(session, framed(body))));
  expect(answers.map(grpcVerdict)).toEqual(Array.from({ length: 250 }, () => taken));
  expect(most).toBe(100);
});

it("keeps serving after connections that are no HTTP/2", async () => {
  await start();
  for (const text of [
    "GET / HTTP/1.1\r\n\r\n",
    "\0".repeat(1000),
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense in the place of frames",
  ]) {
    const socket = connectSocket(face.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(text);
    socket.resume();
    await once(socket, "close");
  }
  expect(grpcVerdict(await grpcCall(session, framed(body)))).toEqual(taken);
});

it("answers what was begun before it stops, and takes no more", async () => {
  let store = () => {};
  const stored = new Promise<void>((resolve) => (store = resolve));
  await start({ accept: () => stored.then(() => ({ kind: "accepted", rejected: [] })) });
  const begun = grpcCall(session, framed(body));
  await vi.waitFor(() => expect(face.exports).toHaveLength(1));
  const stopped = face.stop();
  setTimeout(store, 50);
  expect(grpcVerdict(await begun)).toEqual(taken);
  await stopped;
  const late = connectSocket(face.port, "127.0.0.1");
  const [refused] = await once(late, "error");
  expect(refused).toMatchObject({ code: "ECONNREFUSED" });
});
