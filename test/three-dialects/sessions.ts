/** The recorded Claude Code sessions, straight from the CSV: what each call used, and what all of them cost. */

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { callNanoUsd } from "../support/printed-rates.ts";

export interface Call {
  /** Row of the CSV, from 1. */
  readonly row: number;
  readonly model: string;
  /** All input, cached input included. */
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  /** Microseconds from the start of the session. */
  readonly startUs: number;
  readonly endUs: number;
}

/** Calls of one agent in a row, between two questions of its user at most. */
export interface Turn {
  readonly agent: string;
  readonly calls: readonly Call[];
}

export interface Session {
  readonly id: string;
  readonly turns: readonly Turn[];
}

export interface Total {
  readonly calls: number;
  readonly input_tokens: number;
  readonly cache_read_tokens: number;
  readonly output_tokens: number;
  readonly nano_usd: string;
}

const file = new URL("../../src/replay/data/claude_code_requests_dev.csv.gz", import.meta.url);
const callsPerTurnMax = 12;

/** All sessions, in the order of the file. */
export function recordedSessions(): readonly Session[] {
  const [header = "", ...lines] = gunzipSync(readFileSync(file)).toString().trim().split(/\r?\n/);
  const columns = header.split(",");
  const sessions = new Map<string, Turn[]>();
  for (const [index, line] of lines.entries()) {
    const cells = line.split(",");
    const cell = (name: string) => cells[columns.indexOf(name)] ?? "";
    const startUs = Math.round(Number(cell("t")) * 1e6);
    const call: Call = {
      row: index + 1,
      model: cell("model"),
      input: Number(cell("in")),
      cached: Number(cell("cached")),
      output: Number(cell("out")),
      startUs,
      endUs: startUs + Math.round(Number(cell("api_s")) * 1e6),
    };
    const turns = sessions.get(cell("trace")) ?? [];
    sessions.set(cell("trace"), turns);
    const turn = turns.findLast(({ agent }) => agent === cell("agent"));
    if (turn === undefined || turn.calls.length >= callsPerTurnMax) turns.push({ agent: cell("agent"), calls: [call] });
    else (turn.calls as Call[]).push(call);
  }
  return [...sessions].map(([id, turns]) => ({ id, turns }));
}

/** Every call once, at the printed prices. */
export function totalOf(sessions: readonly Session[]): Total {
  const calls = sessions.flatMap(({ turns }) => turns.flatMap((turn) => turn.calls));
  const sum = (amount: (call: Call) => number) => calls.reduce((total, call) => total + amount(call), 0);
  return {
    calls: calls.length,
    input_tokens: sum(({ input }) => input),
    cache_read_tokens: sum(({ cached }) => cached),
    output_tokens: sum(({ output }) => output),
    nano_usd: String(calls.reduce((total, call) => total + callNanoUsd(call.model, call), 0n)),
  };
}
