/** Trace and span ids that depend on what is replayed alone: a second replay of the same file sends the same ids and changes nothing. */

import { hash } from "node:crypto";

export interface ReplayIds {
  /** First 16 hex digits of every trace id of the replay: the set by which the server can count it. */
  readonly set: string;
  readonly traceId: (traceKey: string) => string;
  readonly spanId: (spanKey: string) => string;
}

/** Ids of a replay of these bytes with these incidents and this salt. Times, speed and tenant have no part in them. */
export function replayIds(source: {
  readonly fileHash: string;
  readonly injectHash: string;
  readonly salt: string;
}): ReplayIds {
  const set = digits(`burnwatch replay 1\n${source.fileHash}\n${source.injectHash}\n${source.salt}`);
  return {
    set,
    traceId: (traceKey) => set + digits(`${set} trace ${traceKey}`),
    spanId: (spanKey) => digits(`${set} span ${spanKey}`),
  };
}

function digits(text: string): string {
  return hash("sha256", text, "hex").slice(0, 16);
}
