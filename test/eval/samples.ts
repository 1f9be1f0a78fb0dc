/** Streams of real values, and random numbers that depend on a name alone. */

import { fileURLToPath } from "node:url";
import { readTrace } from "../../src/replay/read-trace.ts";
import { type StreamName, seed, split } from "./protocol.ts";

/** One value and its time, in the order in which it was recorded. */
export interface Sample {
  readonly value: number;
  readonly atMs: number;
}

export interface Stream {
  readonly dev: readonly Sample[];
  readonly holdout: readonly Sample[];
}

const files = {
  conv: "AzureLLMInferenceTrace_conv.csv.gz",
  code: "AzureLLMInferenceTrace_code.csv.gz",
  claude: "claude_code_requests_dev.csv.gz",
} as const;

/** Path of a recorded trace. */
export function traceFile(name: keyof typeof files): string {
  return fileURLToPath(new URL(`../../src/replay/data/${files[name]}`, import.meta.url));
}

/** All streams, read once. */
export async function readStreams(): Promise<ReadonlyMap<StreamName, Stream>> {
  const streams = new Map<StreamName, Stream>();
  for (const trace of ["conv", "code", "claude"] as const) {
    const { calls } = await readTrace({ file: traceFile(trace) });
    // Claude Code sessions have no calendar time: they are told apart by a hash of their name, and stand one after another.
    const ordered = trace === "claude" ? [...calls].sort((a, b) => (a.traceKey < b.traceKey ? -1 : 1)) : calls;
    const isDev = (index: number) =>
      trace === "claude"
        ? hashOf(ordered[index]?.traceKey ?? "") < split.devShare * 2 ** 32
        : index < split.devShare * ordered.length;
    for (const measure of ["in", "out"] as const) {
      const dev: Sample[] = [];
      const holdout: Sample[] = [];
      for (const [index, call] of ordered.entries()) {
        const value = (measure === "in" ? call.inputTokens : call.outputTokens) ?? 0;
        (isDev(index) ? dev : holdout).push({ value, atMs: 1e12 + call.endUs / 1000 });
      }
      streams.set(`${trace}/${measure}`, { dev, holdout });
    }
  }
  return streams;
}

/** Mulberry32 from the protocol's seed and a name. In [0, 1). */
export function randomOf(name: string): () => number {
  let state = (hashOf(name) ^ seed) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
