/**
 * Builds what is published: ES modules and CommonJS. With the TypeScript compiler both are compiled, with declarations.
 * Where it is not installed (a running Burnwatch that offers the package), Node strips the types and CommonJS is a door
 * to the ES modules, which every Node that the package supports can `require`; then there are no declarations.
 *
 *   node build.ts [--strip] [--out DIR]
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

const here = import.meta.dirname;
const folders = [".", "clients", "delivery", "intercept"];
const entries = ["index", "register"];
const { values } = parseArgs({ options: { strip: { type: "boolean" }, out: { type: "string" } } });
const out = values.out ?? join(here, "dist");
const compiler = values.strip === true ? undefined : findCompiler();

for (const folder of ["esm", "cjs"]) rmSync(join(out, folder), { recursive: true, force: true });
if (compiler === undefined) strip();
else compile(compiler);
for (const [folder, type] of [
  ["esm", "module"],
  ["cjs", "commonjs"],
] as const) {
  writeFileSync(join(out, folder, "package.json"), `${JSON.stringify({ type })}\n`);
}

function findCompiler(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
  } catch {
    return undefined;
  }
}

function compile(path: string): void {
  const run = (folder: string, ...options: string[]) => {
    const parameters = [path, "-p", join(here, "tsconfig.build.json"), "--outDir", join(out, folder), ...options];
    execFileSync(process.execPath, parameters, { stdio: "inherit" });
  };
  run("esm");
  run("cjs", "--module", "commonjs", "--moduleResolution", "bundler", "--verbatimModuleSyntax", "false");
}

function strip(): void {
  for (const folder of folders) {
    mkdirSync(join(out, "esm", folder), { recursive: true });
    const sources = readdirSync(join(here, folder)).filter((name) => /^(?!build\.)[\w-]+\.ts$/.test(name));
    for (const name of sources) {
      const script = stripTypeScriptTypes(readFileSync(join(here, folder, name), "utf8"));
      const target = join(out, "esm", folder, name.replace(/\.ts$/, ".js"));
      writeFileSync(target, script.replace(/(from |import\(|import )"(\.[^"]+)\.ts"/g, '$1"$2.js"'));
    }
  }
  mkdirSync(join(out, "cjs"), { recursive: true });
  for (const entry of entries) {
    writeFileSync(join(out, "cjs", `${entry}.js`), `module.exports = require("../esm/${entry}.js");\n`);
  }
}
