import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { CommandIo } from "./command.ts";
import { score } from "./score.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-score-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function run(csv: string, ...words: string[]): Promise<{ code: number; lines: string[]; err: string }> {
  const file = join(directory, "series.csv");
  writeFileSync(file, csv);
  const [out, err]: [string[], string[]] = [[], []];
  const io: CommandIo = {
    stdout: { write: (text) => out.push(String(text)) },
    stderr: { write: (text) => err.push(String(text)) },
    stdin: (async function* () {})(),
    env: {},
    signal: new AbortController().signal,
  };
  const code = await score.run([file, ...words], io);
  return { code, lines: out.join("").trim().split("\n"), err: err.join("") };
}

const rows = Array.from({ length: 200 }, (_, index) => {
  const minute = String(index % 60).padStart(2, "0");
  const hour = String(Math.floor(index / 60)).padStart(2, "0");
  return `2026-01-05 ${hour}:${minute}:00,${100 + 5 * Math.sin(index * 12.9898)}`;
});

it("answers each line with its own timestamp and a score, the spike with the highest", async () => {
  const spiked = [...rows.slice(0, 150), "2026-01-05 02:30:00,900", ...rows.slice(151)];
  const { code, lines } = await run(`timestamp,value\n${spiked.join("\n")}\n`);
  expect(code).toBe(0);
  expect(lines).toHaveLength(201);
  expect(lines[0]).toBe("timestamp,anomaly_score");
  const scored = lines.slice(1).map((line) => Number(line.split(",")[1]));
  expect(scored.indexOf(Math.max(...scored))).toBe(150);
  expect(lines[151]).toMatch(/^2026-01-05 02:30:00,0\.99/);
});

it("takes the columns in any order, and other columns along", async () => {
  const { lines } = await run("host,value,timestamp\na,1,5\nb,2,6\n");
  expect(lines).toEqual(["timestamp,anomaly_score", "5,0", "6,0"]);
});

it("names the line of a value that is no number, and scores it 0 when told to", async () => {
  const csv = "timestamp,value\n1,5\n2,much\n3,6\n";
  expect(await run(csv)).toMatchObject({
    code: 1,
    err: expect.stringContaining('line 3: value: expected a number, found "much"'),
  });
  expect((await run(csv, "--skip-bad")).lines[2]).toBe("2,0");
});

it("refuses a file without the columns, an empty one, and one that is not there", async () => {
  expect((await run("time,count\n1,2\n")).err).toContain("expected the columns timestamp,value, found time,count");
  expect((await run("")).err).toContain("it is empty");
});
