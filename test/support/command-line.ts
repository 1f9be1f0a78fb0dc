/** The command lines of the long suites: `--help`, and one line for what they do not know. */

import { type ParseArgsConfig, parseArgs } from "node:util";

/** The options and words of this process, which ends here where it was asked for help (0), or for what there is not (2). */
export function commandLine<Options extends NonNullable<ParseArgsConfig["options"]>>(help: string, options: Options) {
  if (process.argv.includes("--help")) {
    process.stdout.write(help);
    process.exit(0);
  }
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    process.stderr.write(`${(error as Error).message.split(". ")[0]}\n\n${help}`);
    process.exit(2);
  }
}
