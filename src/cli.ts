/** The command line: every command, and the outside world they are given. */

import { once } from "node:events";
import { clusterCommands } from "./cluster/commands.ts";
import type { CommandIo } from "./console/command.ts";
import { commands, runCommand } from "./console/commands.ts";
import { serve } from "./serve.ts";

/** Runs one command line of this process. @returns the exit code: 0 done, 1 failed, 2 misused. */
export async function runCli(words: readonly string[], process: NodeJS.Process): Promise<number> {
  const interrupted = new AbortController();
  // `serve` has its own way to stop; the other commands end what they do and say how far they got.
  if (words[0] !== serve.name) void once(process, "SIGINT").then(() => interrupted.abort());
  // A reader that left early (`burnwatch cost | head -1`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  const io: CommandIo = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signal: interrupted.signal,
  };
  return runCommand([serve, ...commands, ...clusterCommands], words, io);
}
