/** The law of the house (DESIGN section 3): floors, lengths, dead files, banned words. Each failure names its remedy. */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const fileLinesMax = 400;
const functionLinesMax = 70;
/** A file is excused by a comment that begins with this word and argues the case. */
const excuse = "Architecture:";

/** Imports go downward only, and never sideways between services. */
const floors: Readonly<Record<string, number>> = {
  "src/runtime.mjs": 5,
  "src/main.ts": 5,
  "src/cli.ts": 5,
  "src/serve.ts": 5,
  "src/server.ts": 5,
  "src/listen.ts": 5,
  "src/cluster": 5,
  "src/config-file.ts": 5,
  "src/refused-config.ts": 5,
  "src/pipeline.ts": 5,
  "src/judge-thread.ts": 5,
  "src/server-state.ts": 5,
  "src/config.ts": 5,
  "src/config-values.ts": 5,
  "src/price-file.ts": 5,
  "src/http": 4,
  "src/dashboard": 4,
  "src/replay": 4,
  "src/console": 4,
  "src/ingest": 3,
  "src/detection": 3,
  "src/alerting": 3,
  "src/budgets": 3,
  "src/query": 3,
  "src/repricing": 3,
  "src/efficiency": 3,
  "src/event-log": 2,
  "src/store": 2,
  "src/channels": 2,
  detectors: 1,
  "src/dialects": 1,
  "src/pricing": 1,
  "src/model": 0,
  "instrumentation/protocol.ts": 0,
};
const serviceFloor = 3;
const adapterFloor = 2;
/** Rooms of pure statistics and words: no I/O, no clock, no environment. */
const pureRooms = ["detectors", "src/model"];
const entries = new Set(["src/main.ts", "src/launcher.mjs"]);

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const files = ["src", "detectors"].flatMap(sourceFiles);
const production = files.filter(({ path }) => !isTest(path));

function sourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => /\.(ts|mjs)$/.test(path) && statSync(join(root, path)).isFile())
    .map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      const imports = [
        ...text.matchAll(
          /^\s*(?:import|export)\b[^"';]*?from\s+"([^"]+)"|\b(?:import|new URL)\("([^"]+)"|^import\s+"([^"]+)"/gm,
        ),
      ];
      return {
        path,
        text,
        imports: imports.map(([, a, b, c]) => a ?? b ?? c ?? "").map((name) => resolved(path, name)),
      };
    });
}

function resolved(from: string, name: string): string {
  return name.startsWith(".") ? relative(root, resolve(root, dirname(from), name)) : name;
}

function isTest(path: string): boolean {
  return /\.test\.ts$/.test(path) || path.startsWith("test/");
}

function roomOf(path: string): string | undefined {
  return Object.keys(floors).find((room) => path === room || path.startsWith(`${room}/`));
}

function faults(
  check: (file: SourceFile) => readonly string[],
  among: readonly SourceFile[] = files,
): readonly string[] {
  return among.filter(({ text }) => !text.includes(excuse)).flatMap(check);
}

it("every file stands in a room that has a floor", () => {
  const homeless = files.filter(
    ({ path }) => roomOf(path) === undefined && !entries.has(path) && path !== "src/config.test.ts",
  );
  expect(homeless.map(({ path }) => `${path}: move it into a room of DESIGN section 3`)).toEqual([]);
});

it("imports go downward, and services do not import each other", () => {
  expect(
    faults(({ path, imports }) => {
      const room = roomOf(path) ?? "";
      const floor = floors[room] ?? 5;
      return imports.flatMap((target) => {
        const targetRoom = roomOf(target);
        if (targetRoom === undefined || targetRoom === room) return [];
        const targetFloor = floors[targetRoom] ?? 0;
        const sideways = targetFloor === floor && (floor === serviceFloor || floor === adapterFloor);
        if (targetFloor < floor || (targetFloor === floor && !sideways)) return [];
        return [
          `${path} imports ${target}: ${sideways ? "join them one floor up, in the wiring" : "turn the dependency around"}`,
        ];
      });
    }, production),
  ).toEqual([]);
});

it("rooms of pure code touch no clock, no disk, no network and no environment", () => {
  const impure =
    /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.|\bfetch\(|from "node:(?:fs|net|http|child_process|timers)/;
  const pure = production.filter(({ path }) => pureRooms.some((room) => path.startsWith(`${room}/`)));
  expect(pure.filter(({ text }) => impure.test(text)).map(({ path }) => `${path}: pass it in`)).toEqual([]);
});

it("the environment is read by the configuration and the launcher only", () => {
  const allowed = new Set(["src/config.ts", "src/launcher.mjs", "src/cli.ts"]);
  const readers = production.filter(({ path, text }) => /\bprocess\.env\b/.test(text) && !allowed.has(path));
  expect(readers.map(({ path }) => `${path}: take it as an argument, from src/config.ts`)).toEqual([]);
});

it(`files have at most ${fileLinesMax} lines`, () => {
  const long = (file: SourceFile) =>
    file.text.split("\n").length > fileLinesMax ? [`${file.path}: make it a folder`] : [];
  expect(faults(long)).toEqual([]);
});

it(`functions have at most ${functionLinesMax} lines`, () => {
  expect(
    faults(({ path, text }) => longFunctions(text).map((name) => `${path}: ${name}: split it`), production),
  ).toEqual([]);
});

/** The formatter closes a function at the indentation it was opened with, which makes its end easy to find. */
function longFunctions(text: string): readonly string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, start) => {
    const opened =
      /^(\s*)(?:(?:export )?(?:default )?(?:async )?function\*? ?(\w*)|(?:(?:static |async |get |set )*)(#?\w+)\(.*\{$)/.exec(
        line,
      );
    if (opened === null || /^\s*(?:if|for|while|switch|return|await|expect|describe|it)\b/.test(line)) return [];
    const end = lines.findIndex((candidate, index) => index > start && candidate.startsWith(`${opened[1]}}`));
    return end - start + 1 > functionLinesMax ? [opened[2] ?? opened[3] ?? "?"] : [];
  });
}

it("no file is dead: each is imported by another", () => {
  const imported = new Set([...files, ...sourceFiles("test")].flatMap(({ imports }) => imports));
  const dead = files.filter(({ path }) => !isTest(path) && !entries.has(path) && !imported.has(path));
  expect(dead.map(({ path }) => `${path}: delete it or use it`)).toEqual([]);
});

it("names no room utils or helpers, leaves nothing for later, and skips no test without a reason", () => {
  expect(
    files.filter(({ path }) => /(^|\/)(utils?|helpers?|common|misc)(\/|\.)/.test(path)).map(({ path }) => path),
  ).toEqual([]);
  const later = /\b(?:TODO|FIXME|XXX|HACK)\b/;
  expect(files.filter(({ text }) => later.test(text)).map(({ path }) => `${path}: do it or write an issue`)).toEqual(
    [],
  );
  const muted = new RegExp(`\\b(?:it|test|describe)\\.(?:${["only", "todo", "skip"].join("|")})\\(`);
  expect(files.filter(({ text }) => muted.test(text)).map(({ path }) => `${path}: skipIf with a reason`)).toEqual([]);
});

it("exports are documented where they are public: each exported function has a sentence", () => {
  expect(
    faults(({ path, text }) => {
      const bare = [...text.matchAll(/(?<!\*\/\n)^export (?:async )?function (\w+)/gm)];
      const short = bare.filter(([, name]) => !firstExport(text, name ?? ""));
      return short.map(([, name]) => `${path}: ${name}: say in a sentence what it does`);
    }, production),
  ).toEqual([]);
});

/** A file comment right above the imports speaks for a file's one export. */
function firstExport(text: string, name: string): boolean {
  const exported = [...text.matchAll(/^export (?:async )?(?:function|class|const) (\w+)/gm)];
  return text.startsWith("/**") && exported.length <= 2 && exported.some(([, found]) => found === name);
}
