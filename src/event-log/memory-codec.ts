/** A step of the resolver as a message of the memory topic: what the next owner of its partition needs to go on. */

import { pack, unpack } from "msgpackr";
import { decodeSeenSpan, encodeSeenSpans, seenSpanBytes } from "./seen-span-codec.ts";
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

/** @throws Error when another version wrote it. */
export function decodeStep(payload: Uint8Array): RememberedStep {
  const message = unpack(payload) as Message;
  const [written, inputOffset, arrivedAtMs, traces, wrappers, state] = message;
  if (written !== version) {
    throw new Error(
      `a step in the resolver's memory has version ${written}, this program reads ${version}: run the newer one`,
    );
  }
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
  return Array.from({ length: bytes.length / seenSpanBytes }, (_, index) =>
    decodeSeenSpan(bytes, index * seenSpanBytes),
  );
}
