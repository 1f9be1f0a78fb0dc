import { unpack } from "msgpackr";
import { expect, it } from "vitest";
import { decodeStep, encodeStep } from "./memory-codec.ts";
import type { SeenSpan, SeenTrace } from "./usage-log.ts";

const hashes = { contentHash: -2, responseHash: 7, callHash: 2 ** 31 - 1, modelHash: 0xffff, emitterHash: 3 };

function spanOf(number: number): SeenSpan {
  const [spanId, parentSpanId] = [number.toString(16).padStart(16, "0"), number % 2 === 0 ? "" : "a".repeat(16)];
  const times = { startUs: 1_796_000_000_123_456, endUs: 1_796_000_000_999_999 };
  return { spanId, parentSpanId, ...times, revision: number, ...hashes, rank: 200, bits: 12, place: -1 };
}

function traceOf(tenant: string, number: number): SeenTrace {
  return { tenant, traceId: number.toString(16).padStart(32, "f"), spans: new Map() };
}

const traces = new Map([
  [traceOf("default", 1), [spanOf(1)]],
  [traceOf("a tenant with Ünïcödé, and long ".repeat(9).slice(0, 256), 2), [spanOf(2), spanOf(3)]],
  [traceOf("", 3), Array.from({ length: 1300 }, (_, number) => spanOf(number))],
]);
const wrappers = new Map([
  ["kept", Buffer.from([1, 2, 3])],
  ["forgotten", null],
]);
const state = { last_record_at_ms: 1_796_000_000_000, hole: { offset: 3, untilMs: 5.5, inputOffset: 2 ** 40 } };
const step = { inputOffset: 2 ** 41, arrivedAtMs: 1_796_000_000_000, traces, wrappers, state };

it("reads what it wrote", () => {
  const read = decodeStep(encodeStep(step));
  expect(read).toMatchObject({ inputOffset: step.inputOffset, arrivedAtMs: step.arrivedAtMs, state });
  expect(read.traces).toEqual(
    Array.from(traces, ([{ tenant, traceId }, spans]) => ({ key: { tenant, traceId }, spans })),
  );
  expect(new Map(Array.from(read.wrappers, ([key, entry]) => [key, entry && [...entry]]))).toEqual(
    new Map([
      ["kept", [1, 2, 3]],
      ["forgotten", null],
    ]),
  );
  expect(decodeStep(encodeStep({ ...step, traces: new Map() })).traces).toEqual([]);
});

it("writes MessagePack that says the same to its library, so that versions of before read it", () => {
  const bytes = encodeStep(step);
  const [version, inputOffset, arrivedAtMs, list, kept, named] = unpack(bytes) as unknown[];
  expect([version, inputOffset, arrivedAtMs, named]).toEqual([1, step.inputOffset, step.arrivedAtMs, state]);
  const hex = (value: unknown) => Buffer.from(value as Uint8Array).toString("hex");
  const said = (list as unknown[][]).map(([tenant, id, spans]) => [tenant, hex(id), hex(spans).match(/.{104}/g) ?? []]);
  // A span's 52 bytes begin with its id and its parent's.
  const ids = ({ spanId, parentSpanId }: SeenSpan) => spanId + (parentSpanId || "0".repeat(16));
  expect(said.map(([tenant, id, spans]) => [tenant, id, (spans as string[]).map((span) => span.slice(0, 32))])).toEqual(
    Array.from(traces, ([{ tenant, traceId }, spans]) => [tenant, traceId, spans.map(ids)]),
  );
  expect((kept as [string, Uint8Array | null][]).map(([key, entry]) => [key, entry && hex(entry)])).toEqual([
    ["kept", "010203"],
    ["forgotten", null],
  ]);
});

it("refuses a trace whose id is none", () => {
  const wrong = { tenant: "t", traceId: "12", spans: new Map() };
  expect(() => encodeStep({ ...step, traces: new Map([[wrong, [spanOf(1)]]]) })).toThrow('"12" is no id of a trace');
});
