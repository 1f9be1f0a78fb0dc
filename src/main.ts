/** The process entry: hands the words of the command line to the commands and exits with their code. */

import { runCommand } from "./cli.ts";

process.exitCode = await runCommand(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
});
