/**
 * An ordinary hour of several tenants, made of real calls: token counts, order and times are those of the recorded traces;
 * who called what is drawn by a seed. Prices are written down here, so that nothing expected comes from the code under test.
 */

import { readTrace } from "../../src/replay/read-trace.ts";
import type { Random } from "./random.ts";

/** One call of a world. Tokens are disjoint. */
export interface WorldCall {
  readonly seconds: number;
  readonly tenant: string;
  readonly feature: string;
  readonly model: string;
  readonly promptVersion: string;
  readonly user: string;
  readonly retry: boolean;
  readonly input: number;
  readonly cacheRead: number;
  readonly output: number;
  readonly reasoning: number;
  /** The incident that touched it, 0 where none did. */
  readonly incident: number;
}

/** Nano-dollars per token: input, read from cache, output with reasoning. */
export const worldRates: Readonly<Record<string, readonly [number, number, number]>> = {
  "gpt-4o": [2500, 1250, 10_000],
  "gpt-4o-mini": [150, 75, 600],
  o1: [15_000, 7500, 60_000],
  "claude-sonnet-4-5": [3000, 300, 15_000],
  "claude-haiku-4-5": [1000, 100, 5000],
};

export function worldCost(call: Pick<WorldCall, "model" | "input" | "cacheRead" | "output" | "reasoning">): number {
  const [input, cached, output] = worldRates[call.model] ?? [0, 0, 0];
  return call.input * input + call.cacheRead * cached + (call.output + call.reasoning) * output;
}

interface RecordedCall {
  readonly seconds: number;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
}

export interface RecordedTraces {
  readonly conv: readonly RecordedCall[];
  readonly code: readonly RecordedCall[];
  /** By session. */
  readonly sessions: readonly (readonly RecordedCall[])[];
}

/** How long a world lasts. In the traces' last quarter of an hour code completion falls to a third: an incident of its own. */
export const worldSeconds = 2600;

export async function readRecordedTraces(): Promise<RecordedTraces> {
  const read = async (name: string) => {
    const file = new URL(`../../src/replay/data/${name}.csv.gz`, import.meta.url).pathname;
    const { calls } = await readTrace({ file });
    const first = Math.min(...calls.slice(0, 10).map((call) => call.startUs));
    return calls.map((call) => ({
      key: call.traceKey,
      seconds: (call.startUs - (name.startsWith("claude") ? 0 : first)) / 1e6,
      input: (call.inputTokens ?? 0) - (call.cacheReadTokens ?? 0),
      cached: call.cacheReadTokens ?? 0,
      output: call.outputTokens ?? 0,
    }));
  };
  const sessions = Map.groupBy(await read("claude_code_requests_dev"), ({ key }) => key);
  return {
    conv: await read("AzureLLMInferenceTrace_conv"),
    code: await read("AzureLLMInferenceTrace_code"),
    sessions: [...sessions.values()].map((calls) => {
      const first = Math.min(...calls.map(({ seconds }) => seconds));
      return calls.map((call) => ({ ...call, seconds: call.seconds - first }));
    }),
  };
}

/** A coding agent's call is fifty times a chat's: this share of them keeps agents a third of the spend, not nine tenths. */
const sessionKeep = 0.15;

const features = {
  conv: ["chat", "support", "search"],
  code: ["complete", "review"],
  session: ["agent"],
} as const;

/**
 * Calls of an ordinary time in order; nothing is wrong in it beyond what was wrong when it was recorded. In `shuffled` order
 * chat and code calls come at times drawn anew, so that nothing drifts; agents' sessions keep their order in both.
 */
export function ordinaryHour(traces: RecordedTraces, random: Random, order: "recorded" | "shuffled"): WorldCall[] {
  const tenants = Array.from({ length: 3 + random.below(4) }, (_, index) => `tenant-${index + 1}`);
  const versions = 1 + random.below(3);
  const preferred = new Map<string, readonly string[]>();
  const modelsOf = (feature: string) => {
    const known = preferred.get(feature);
    if (known !== undefined) return known;
    const names = Object.keys(worldRates).filter((name) => name !== "o1");
    const chosen = [random.pick(names), random.pick(names)];
    preferred.set(feature, chosen);
    return chosen;
  };
  const named = (call: RecordedCall, feature: string, tenant: string, user: string): WorldCall => {
    const [main = "", second = ""] = modelsOf(feature);
    const model = random.next() < 0.8 ? main : second;
    const reasoning = call.output > 200 && feature === "review" ? Math.floor(call.output / 2) : 0;
    const { seconds, input, cached, output } = call;
    const promptVersion = `v${1 + random.zipf(versions)}`;
    const tokens = { input, cacheRead: cached, output: output - reasoning, reasoning };
    return { seconds, tenant, feature, model, promptVersion, user, retry: false, ...tokens, incident: 0 };
  };
  const keep = random.between(0.3, 1);
  const calls: WorldCall[] = [];
  for (const kind of ["conv", "code"] as const) {
    for (const call of traces[kind]) {
      if (random.next() > keep || call.seconds > worldSeconds) continue;
      const tenant = tenants[random.zipf(tenants.length)] ?? "";
      const seconds = order === "recorded" ? call.seconds : random.between(0, worldSeconds);
      const user = `${tenant}/user-${1 + random.zipf(150)}`;
      calls.push(named({ ...call, seconds }, random.pick(features[kind]), tenant, user));
    }
  }
  // Sessions are long: each begins at any time before the hour's end, and what falls into the hour is kept.
  const sessions = 60 + random.below(60);
  for (let index = 0; index < sessions; index++) {
    const session = random.pick(traces.sessions);
    const tenant = tenants[random.zipf(tenants.length)] ?? "";
    const start = random.between(-(session.at(-1)?.seconds ?? 0), worldSeconds);
    for (const call of session) {
      const seconds = start + call.seconds;
      if (seconds < 0 || seconds > worldSeconds || random.next() > keep * sessionKeep) continue;
      calls.push(named({ ...call, seconds }, features.session[0], tenant, `${tenant}/agent-user-${index}`));
    }
  }
  return calls.sort((a, b) => a.seconds - b.seconds);
}
