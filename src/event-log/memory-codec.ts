/** A step of the resolver as a message of the memory topic: what the next owner of its partition needs to go on. */

import { pack, unpack } from "msgpackr";
import { decodeSeenSpan, encodeSeenSpans, seenSpanBytes } from "./seen-span-codec.ts";
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

export function encodeStep(step: Omit<ResolverStep, "entries">): Uint8Array {
  const message: Message = [
    version,
    step.inputOffset,
    step.arrivedAtMs,
    Array.from(step.traces, ([{ tenant, traceId }, spans]) => [
      tenant,
      Buffer.from(traceId, "hex"),
      encodeSeenSpans(spans),
    ]),
    [...step.wrappers],
    step.state,
  ];
  return pack(message);
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
