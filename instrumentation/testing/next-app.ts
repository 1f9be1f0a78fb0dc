/** A Next.js application of the README's files: installed once, built and served as it is deployed. */

import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildOnce } from "./build-once.ts";

const packageFolder = join(import.meta.dirname, "..");
/** Next.js and what it needs are 400 MB: beside the builds, which git ignores, and not among our dependencies. */
const folder = join(packageFolder, "dist", "next-app");
const next = join(folder, "node_modules", "next", "dist", "bin", "next");
const installWithinMs = 240_000;

/** Installs what `testing/next-app/package.json` names. Undefined when that went well, else why not. */
export function installNextApp(): string | undefined {
  buildOnce();
  mkdirSync(folder, { recursive: true });
  cpSync(join(import.meta.dirname, "next-app"), folder, { recursive: true });
  if (!existsSync(next)) {
    process.stderr.write("installing Next.js for its test, once, about 430 MB\n");
    const words = ["install", "--install-links", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    try {
      execFileSync("npm", words, { cwd: folder, stdio: "pipe", timeout: installWithinMs });
    } catch (error) {
      return String((error as { stderr?: unknown }).stderr ?? error)
        .trim()
        .split("\n")[0];
    }
  }
  // Installed as packed, so that no link leads out of the application; refreshed with every build.
  const installed = join(folder, "node_modules", "@burnwatch", "instrumentation");
  cpSync(join(packageFolder, "package.json"), join(installed, "package.json"));
  for (const format of ["esm", "cjs"]) {
    cpSync(join(packageFolder, "dist", format), join(installed, "dist", format), { recursive: true });
  }
  return undefined;
}

/** Writes the files and runs `next build`. Throws what it printed when it fails. */
export function buildNextApp(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  execFileSync(process.execPath, [next, "build"], { cwd: folder, env: environment({}), stdio: "pipe" });
}

export interface NextServer {
  readonly url: string;
  /** Everything it wrote. */
  output(): string;
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<void>;
}

/** Runs `next start` on a free port; resolves when it says that it is ready. */
export async function startNextApp(extra: Readonly<Record<string, string>>): Promise<NextServer> {
  const child = spawn(process.execPath, [next, "start", "--port", "0", "--hostname", "127.0.0.1"], {
    cwd: folder,
    env: environment(extra),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    const take = (data: unknown) => {
      output += String(data);
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0];
      if (found !== undefined && output.includes("Ready")) resolve(found);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("exit", () => reject(new Error(output)));
  });
  return {
    url,
    output: () => output,
    stop() {
      child.kill("SIGTERM");
      return gone;
    },
  };
}

/** Without what the test runner sets: Next.js takes `NODE_ENV=test` for its own. */
function environment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(OTEL|BURNWATCH|VITEST|NODE_ENV$|NODE_OPTIONS$|TEST$)/.test(name),
  );
  return { ...Object.fromEntries(inherited), NEXT_TELEMETRY_DISABLED: "1", ...extra } as NodeJS.ProcessEnv;
}
