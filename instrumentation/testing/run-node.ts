/** Runs a script in a Node process of its own and waits for its end. */

import { spawn } from "node:child_process";

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Sent once the script has printed `ready`. */
  readonly signal?: NodeJS.Signals;
}

/** `parameters` as after `node`. The environment is this process's without what tests set, plus `env`. */
export function runNode(parameters: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const started = performance.now();
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OTEL|BURNWATCH|VITEST|NODE_OPTIONS)/.test(name));
  const child = spawn(process.execPath, parameters, {
    cwd: options.cwd ?? new URL("..", import.meta.url).pathname,
    env: { ...Object.fromEntries(inherited), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  let signalled = false;
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk);
    if (options.signal === undefined || signalled || !stdout.includes("ready")) return;
    signalled = true;
    child.kill(options.signal);
  });
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk);
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr, ms: performance.now() - started }));
  });
}

/** Runs source text as an ES module in the package's folder; `./` imports are the package's files. */
export function runSource(source: string, options: RunOptions = {}): Promise<Ran> {
  return runNode(["--input-type=module", "--eval", source], options);
}
