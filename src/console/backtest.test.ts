import { expect, it } from "vitest";
import { backtest } from "./backtest.ts";
import type { CommandIo } from "./command.ts";

const trace = "src/replay/data/AzureLLMInferenceTrace_code.csv.gz";
const steady = "src/replay/data/AzureLLMInferenceTrace_conv.csv.gz";

async function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: [string[], string[]] = [[], []];
  const io: CommandIo = {
    stdout: { write: (text) => out.push(String(text)) },
    stderr: { write: (text) => err.push(String(text)) },
    stdin: (async function* () {})(),
    env: {},
    signal: new AbortController().signal,
  };
  const code = await backtest.run(words, io);
  return { code, out: out.join(""), err: err.join("") };
}

it("finds the incident that was put into a real trace, and nothing else, with its delay", async () => {
  const { code, out } = await run(steady, "--inject", "src/replay/incidents/token-shift.yaml", "--json");
  expect(code).toBe(0);
  const lines = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatchObject({ detector: "spend", kind: "spend_above_baseline", severity: "page" });
  expect(Object.keys(lines[0] ?? {})).toEqual(
    expect.arrayContaining([
      "at",
      "detector",
      "kind",
      "severity",
      "series",
      "observed",
      "expected",
      "onset",
      "evidence",
    ]),
  );
  expect(lines[1]).toMatchObject({ records: 19366, precision: 1, recall: 1 });
  const incidents = lines[1]?.["incidents"] as readonly Record<string, number>[] | undefined;
  expect(incidents).toHaveLength(1);
  expect(incidents?.[0]?.["delay_seconds"]).toBeLessThan(600);
  expect(incidents?.[0]?.["delay_records"]).toBeGreaterThan(0);
  expect(incidents?.[0]?.["delay_usd"]).toBeGreaterThan(0);
});

it("is silent about the trace as it was recorded, and says how often it would page", async () => {
  const { out } = await run(trace);
  expect(out).toMatch(/^8,819 records over 1\.0 h: 0 pages and 0 tickets, 0\.0 pages a week at this rate\n$/);
});

it("tries settings, and refuses what it does not know by the nearest name", async () => {
  const off = await run(trace, "--inject", "src/replay/incidents/token-shift.yaml", "--set", "spend=off", "--json");
  expect(off.out).not.toContain("spend_above_baseline");
  expect(await run(trace, "--set", "spend.excess_usd_per_minut_min=1")).toMatchObject({
    code: 2,
    err: expect.stringContaining("excess_usd_per_minute_min?"),
  });
  expect(await run(trace, "--set", "spend=loud")).toMatchObject({ code: 2, err: expect.stringContaining("ticket") });
  expect(await run()).toMatchObject({ code: 2, err: expect.stringContaining("name a file, or --since") });
});
