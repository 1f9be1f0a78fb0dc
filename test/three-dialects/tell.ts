/** Spans of a session as instrumentations write them: the shape that all share, and what each dialect adds to it. */

import { hash } from "node:crypto";
import type { OtlpSpan } from "../../src/ingest/otlp-oracle.ts";
import type { Call, Session, Turn } from "./sessions.ts";

export type Values = Readonly<Record<string, string | number>>;

/** A span before it has ids and times of a clock. */
export interface Told {
  readonly scope: string;
  readonly key: string;
  /** Key of its parent; one that nothing is told under stands for a span that is no LLM operation. */
  readonly parent: string;
  /** Microseconds from the start of the session. */
  readonly startUs: number;
  readonly endUs: number;
  readonly values: Values;
}

/** What several calls used together. */
export interface Sum {
  readonly model: string;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
}

export interface Telling {
  readonly dialect: string;
  /** The call, with what else tells of it. `parent` is the key of its turn. */
  call(call: Call, parent: string): readonly Told[];
  turn(turn: Turn, sum: Sum): Pick<Told, "scope" | "values">;
  session(session: Session, sum: Sum): Pick<Told, "scope" | "values">;
}

export interface ScopedSpan {
  readonly scope: string;
  readonly span: OtlpSpan;
}

/** All spans of a session that ends at `endMs`: calls, turns that sum them, a session that sums the turns. */
export function toldSession(session: Session, telling: Telling, endMs: number): readonly ScopedSpan[] {
  const root = `session ${session.id}`;
  const told: Told[] = [];
  for (const [index, turn] of session.turns.entries()) {
    const key = `turn ${session.id} ${index}`;
    told.push(...turn.calls.flatMap((call) => telling.call(call, key)));
    told.push({ key, parent: root, ...around(turn.calls), ...telling.turn(turn, sumOf(turn.calls)) });
  }
  const calls = session.turns.flatMap((turn) => turn.calls);
  told.push({ key: root, parent: "", ...around(calls), ...telling.session(session, sumOf(calls)) });
  const zeroUs = endMs * 1000 - Math.max(...told.map(({ endUs }) => endUs));
  return told.map((one) => scopedSpan(one, { traceId: idOf(`${telling.dialect} ${root}`, 32), zeroUs }));
}

/** The usual keys of OpenTelemetry, with all input. */
export function genaiTokens({ input, cached, output }: Sum): Values {
  return {
    "gen_ai.usage.input_tokens": input,
    "gen_ai.usage.cache_read.input_tokens": cached,
    "gen_ai.usage.output_tokens": output,
  };
}

/** The usual keys of OpenInference, with all input. */
export function openinferenceTokens({ input, cached, output }: Sum): Values {
  return {
    "llm.token_count.prompt": input,
    "llm.token_count.prompt_details.cache_read": cached,
    "llm.token_count.completion": output,
    "llm.token_count.total": input + output,
  };
}

/** The model as it was asked for: without its date. */
export function requested(model: string): string {
  return model.replace(/-\d{8}$/, "");
}

/** Times a little outside of a call's, as of a span around it, or of a neighbour that begins and ends with it. */
export function just(call: Call, outsideUs: number): Pick<Told, "startUs" | "endUs"> {
  return { startUs: call.startUs - outsideUs, endUs: call.endUs + outsideUs };
}

function around(calls: readonly Call[]): Pick<Told, "startUs" | "endUs"> {
  return {
    startUs: Math.min(...calls.map(({ startUs }) => startUs)) - 2000,
    endUs: Math.max(...calls.map(({ endUs }) => endUs)) + 2000,
  };
}

function sumOf(calls: readonly Call[]): Sum {
  const sum = (amount: (call: Call) => number) => calls.reduce((total, call) => total + amount(call), 0);
  return {
    model: calls[0]?.model ?? "",
    input: sum(({ input }) => input),
    cached: sum(({ cached }) => cached),
    output: sum(({ output }) => output),
  };
}

function scopedSpan(
  told: Told,
  { traceId, zeroUs }: { readonly traceId: string; readonly zeroUs: number },
): ScopedSpan {
  const attributes = Object.entries(told.values).map(([key, value]) => ({
    key,
    value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value },
  }));
  return {
    scope: told.scope,
    span: {
      traceId,
      spanId: idOf(`${traceId} ${told.key}`, 16),
      ...(told.parent === "" ? {} : { parentSpanId: idOf(`${traceId} ${told.parent}`, 16) }),
      name: told.key,
      startTimeUnixNano: `${zeroUs + told.startUs}000`,
      endTimeUnixNano: `${zeroUs + told.endUs}000`,
      attributes,
    },
  };
}

function idOf(text: string, digits: number): string {
  return hash("sha256", text, "hex").slice(0, digits);
}
