/** Metrics are inflated on the event loop's thread, so that what they become is counted in the memory of all requests. */

import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { defaultDecodeLimits } from "../ingest/decoded-export.ts";
import { metricSignal } from "./metric-signal.ts";
import { createInFlightBytes } from "./otlp-in-flight.ts";
import type { WireBody } from "./otlp-signal.ts";

const mebibyte = 1024 * 1024;
const limits = { ...defaultDecodeLimits, inflatedBytesMax: 4 * mebibyte, jsonBytesMax: 2 * mebibyte };
const producer = { address: "127.0.0.1", userAgent: "test/1" };
const nothing = { kept: 0, other: 0, rejected: 0 };

const signal = metricSignal({
  accept: async () => ({ kind: "accepted", rejected: [] }),
  keeps: () => null,
  limits,
  report: (error) => {
    throw error;
  },
});

/** An unknown field of text, which every reader of protobuf passes over: 15, of the wire type for bytes. */
function padded(bytes: number, text = Buffer.alloc(bytes)): Buffer {
  const length = [(bytes & 0x7f) | 0x80, ((bytes >> 7) & 0x7f) | 0x80, ((bytes >> 14) & 0x7f) | 0x80, bytes >> 21];
  return Buffer.concat([Buffer.from([0x7a, ...length]), text]);
}

/** Text that does not compress well. */
const noise = Buffer.from(
  Array.from({ length: 60_000 }, (_, i) =>
    Math.sin(i + 1)
      .toString(36)
      .slice(-10),
  ).join(""),
);

const gzipped = (bytes: Buffer): WireBody => ({ bytes: gzipSync(bytes), coding: "gzip", encoding: "protobuf" });

it("takes what a body is inflated to from the memory of all, on the spot or aside, and asks to come again", async () => {
  const inFlight = createInFlightBytes(5 * mebibyte);
  const others = inFlight.lease();
  others.take(3 * mebibyte);
  const bodies = [Buffer.alloc(0), noise].map((text) =>
    gzipped(padded(3 * mebibyte, Buffer.concat([text, Buffer.alloc(3 * mebibyte - text.length)]))),
  );
  expect(bodies.map(({ bytes }) => bytes.length > 256 * 1024)).toEqual([false, true]);
  for (const body of bodies) {
    const lease = inFlight.lease();
    const message = "too many bytes of other requests are in flight";
    const outcome = { kind: "refused", status: 429, message };
    expect(await signal.receive(body, producer, lease)).toEqual({ outcome, ...nothing, inflatedBytes: 0 });
    lease.release();
  }
  others.release();
  for (const body of bodies) {
    const lease = inFlight.lease();
    const inflatedBytes = 3 * mebibyte + 5;
    const outcome = { kind: "accepted", rejected: [] };
    expect(await signal.receive(body, producer, lease)).toEqual({ outcome, ...nothing, inflatedBytes });
    expect(inFlight.held).toBe(inflatedBytes);
    lease.release();
  }
});

it("refuses bombs, bodies of another coding and what is no OTLP, each with its status", async () => {
  const inFlight = createInFlightBytes(80 * mebibyte);
  const outcomeOf = async (body: WireBody) => {
    const lease = inFlight.lease();
    const { outcome, inflatedBytes } = await signal.receive(body, producer, lease);
    lease.release();
    return outcome.kind === "refused" ? [outcome.status, outcome.message, inflatedBytes] : outcome.kind;
  };
  const advice = "lower the batch size of the exporter";
  const [bomb, json] = [gzipped(padded(5 * mebibyte)), gzipSync(`{"unknown":"${" ".repeat(3 * mebibyte)}"}`)];
  expect(await outcomeOf(bomb)).toEqual([413, `the inflated body is larger than 4194304 bytes; ${advice}`, 0]);
  const tooMuchJson = await outcomeOf({ bytes: json, coding: "gzip", encoding: "json" });
  expect(tooMuchJson).toEqual([413, `the inflated body is larger than 2097152 bytes; ${advice}`, 0]);
  const uncoded = await outcomeOf({ ...bomb, bytes: Buffer.from("{}") });
  expect(uncoded).toEqual([400, expect.stringContaining("the body is not gzip"), 0]);
  const broken = await outcomeOf({ bytes: Buffer.from("[broken"), coding: "identity", encoding: "protobuf" });
  expect(broken).toEqual([400, expect.stringMatching(/^expected a/), 7]);
  expect(inFlight.held).toBe(0);
});
