/** The process entry. */

import { runCli } from "./cli.ts";

// An explicit end: a listener on stdin or an idle connection must not keep a finished command alive.
process.exit(await runCli(process.argv.slice(2), process));
