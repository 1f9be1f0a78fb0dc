/** The command line: finds the command, or the nearest name, and shows help. */

import type { Command, CommandIo } from "./console/command.ts";
import { commands as consoleCommands } from "./console/commands.ts";
import { nearestName } from "./model/nearest-name.ts";
import { serveCommand } from "./serve.ts";

const commands: readonly Command[] = [serveCommand, ...consoleCommands];

/** Runs one command line. @returns the exit code: 0 done, 1 failed, 2 misused. */
export async function runCommand(words: readonly string[], io: CommandIo): Promise<number> {
  const [name = "", ...rest] = words;
  if (name === "" || name === "help" || name === "--help" || name === "-h") {
    io.stdout.write(overview());
    return name === "" ? 2 : 0;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const nearest = nearestName(
      name,
      commands.map((candidate) => candidate.name),
    );
    io.stderr.write(
      `burnwatch: no command "${name}"${nearest === undefined ? "" : `, did you mean "${nearest}"?`} See burnwatch --help\n`,
    );
    return 2;
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    io.stdout.write(`${command.help.trimEnd()}\n`);
    return 0;
  }
  return command.run(rest, io);
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `burnwatch: what LLM calls cost, and who is told when that changes\n\n${lines.join("\n")}\n\nburnwatch COMMAND --help shows options and examples.\n`;
}
