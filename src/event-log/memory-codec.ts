/** A step of the resolver as a message of the memory topic: what the next owner of its partition needs to go on. */

import { pack, unpack } from "msgpackr";
import { writeHex } from "./hex-id.ts";
import { decodeSeenSpan, encodeSeenSpan, seenSpanBytes } from "./seen-span-codec.ts";
import { CorruptEntry, checkVersion, OtherVersionEntry } from "./unreadable-entry.ts";
import type { ResolverStep, SeenSpan, TraceKey } from "./usage-log.ts";

export interface RememberedStep extends Pick<ResolverStep, "inputOffset" | "arrivedAtMs" | "wrappers" | "state"> {
  readonly traces: readonly { readonly key: TraceKey; readonly spans: readonly SeenSpan[] }[];
}

type Message = readonly [
  version: number,
  inputOffset: number,
  arrivedAtMs: number,
  traces: readonly (readonly [tenant: string, traceId: Uint8Array, spans: Uint8Array])[],
  wrappers: readonly (readonly [key: string, entry: Uint8Array | null])[],
  state: Readonly<Record<string, unknown>>,
];

const version = 1;

/** Of MessagePack (github.com/msgpack/msgpack, spec.md): lists of six and of three, and the heads of what is longer. */
const head = { six: 0x96, three: 0x93, list32: 0xdd, text16: 0xda, bytes8: 0xc4, bytes32: 0xc6, double: 0xcb } as const;
const traceIdBytes = 16;
/** What a trace takes beside its tenant and spans, and a step beside its traces, wrappers and state. */
const traceBytesMax = 27;
const stepBytesMax = 32;
const utf8BytesMax = 3;

/**
 * MessagePack, whose traces are written here: as objects of the library's they took a buffer for each id and each list of
 * spans, a twentieth of what a resolver's main thread does.
 */
export function encodeStep(step: Omit<ResolverStep, "entries">): Uint8Array {
  const [wrappers, state] = [pack([...step.wrappers]), pack(step.state)];
  const bytes = Buffer.allocUnsafe(stepBytesMax + tracesBytesMax(step.traces) + wrappers.length + state.length);
  bytes[0] = head.six;
  bytes[1] = version;
  let at = writeDouble(bytes, 2, step.inputOffset);
  at = writeDouble(bytes, at, step.arrivedAtMs);
  bytes[at] = head.list32;
  at = bytes.writeUInt32BE(step.traces.size, at + 1);
  for (const [key, spans] of step.traces) at = writeTrace(bytes, at, key, spans);
  bytes.set(wrappers, at);
  bytes.set(state, at + wrappers.length);
  return bytes.subarray(0, at + wrappers.length + state.length);
}

function tracesBytesMax(traces: ResolverStep["traces"]): number {
  let size = 0;
  for (const [{ tenant }, spans] of traces)
    size += traceBytesMax + utf8BytesMax * tenant.length + seenSpanBytes * spans.length;
  return size;
}

function writeDouble(bytes: Buffer, at: number, value: number): number {
  bytes[at] = head.double;
  return bytes.writeDoubleBE(value, at + 1);
}

/** @returns where it ends. */
function writeTrace(bytes: Buffer, from: number, { tenant, traceId }: TraceKey, spans: readonly SeenSpan[]): number {
  bytes[from] = head.three;
  bytes[from + 1] = head.text16;
  const tenantBytes = bytes.write(tenant, from + 4, "utf8");
  bytes.writeUInt16BE(tenantBytes, from + 2);
  let at = from + 4 + tenantBytes;
  bytes[at] = head.bytes8;
  bytes[at + 1] = traceIdBytes;
  if (!writeHex(bytes, at + 2, traceIdBytes, traceId)) throw new Error(`"${traceId}" is no id of a trace`);
  at += 2 + traceIdBytes;
  bytes[at] = head.bytes32;
  at = bytes.writeUInt32BE(spans.length * seenSpanBytes, at + 1);
  for (const span of spans) {
    encodeSeenSpan(span, bytes, at);
    at += seenSpanBytes;
  }
  return at;
}

/** @throws OtherVersionEntry when a newer version wrote it, CorruptEntry when none can have. */
export function decodeStep(payload: Uint8Array): RememberedStep {
  try {
    return readStep(unpack(payload) as Message);
  } catch (error) {
    if (error instanceof OtherVersionEntry) throw error;
    const reason = `a corrupt step of ${payload.length} bytes in a resolver's memory: ${(error as Error).message}`;
    throw new CorruptEntry(reason, { cause: error });
  }
}

function readStep(message: Message): RememberedStep {
  if (!Array.isArray(message)) throw new CorruptEntry("it is no list");
  const [written, inputOffset, arrivedAtMs, traces, wrappers, state] = message;
  checkVersion("a step in a resolver's memory", written, version);
  if (!Number.isSafeInteger(inputOffset) || typeof state !== "object") throw new CorruptEntry("it says no place");
  return {
    inputOffset,
    arrivedAtMs,
    traces: traces.map(([tenant, traceId, spans]) => ({
      key: { tenant, traceId: Buffer.from(traceId).toString("hex") },
      spans: decodeSpans(Buffer.from(spans)),
    })),
    wrappers: new Map(wrappers),
    state,
  };
}

function decodeSpans(bytes: Buffer): SeenSpan[] {
  if (bytes.length % seenSpanBytes !== 0) throw new CorruptEntry("a span ends too early");
  return Array.from({ length: bytes.length / seenSpanBytes }, (_, index) =>
    decodeSeenSpan(bytes, index * seenSpanBytes),
  );
}
