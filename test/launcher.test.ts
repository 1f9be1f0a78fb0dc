import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const launcher = fileURLToPath(new URL("../src/launcher.mjs", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "burnwatch-launcher-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What the launcher makes of a program. @returns its exit code, its complaints, and what the program printed. */
function launch(program: string): Promise<{ code: number | null; stderr: string; stdout: string }> {
  const script = join(directory, "program.ts");
  writeFileSync(script, program);
  const child = spawn(process.execPath, [launcher, "--exec", script], { stdio: ["ignore", "pipe", "pipe"] });
  const said = { stderr: "", stdout: "" };
  child.stderr.on("data", (data) => {
    said.stderr += String(data);
  });
  child.stdout.on("data", (data) => {
    said.stdout += String(data);
  });
  return new Promise((done) => child.once("exit", (code) => done({ code, ...said })));
}

it("starts a server again that ended with 75 after it had worked for a while", async () => {
  const mark = JSON.stringify(join(directory, "mark"));
  const { code, stderr, stdout } = await launch(`
    import { existsSync, writeFileSync } from "node:fs";
    const again = existsSync(${mark});
    writeFileSync(${mark}, "");
    console.log(again ? "second" : "first");
    setTimeout(() => process.exit(again ? 0 : 75), again ? 0 : 10_500);
  `);
  expect([code, stdout]).toEqual([0, "first\nsecond\n"]);
  expect(stderr).toContain("burnwatch: the server is started again");
}, 40_000);

it("leaves one alone that ended so soon after its start, and any other end", async () => {
  const soon = await launch("process.exit(75)");
  expect([soon.code, soon.stderr]).toEqual([
    75,
    "burnwatch: the server failed soon after its start: see above; it is not started again\n",
  ]);
  expect(await launch("process.exit(3)")).toEqual({ code: 3, stderr: "", stdout: "" });
});
