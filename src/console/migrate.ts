/** `burnwatch migrate`: makes or shows the tables of a cluster, for who does not leave that to a writer. */

import { type Command, type CommandIo, defineCommand } from "./command.ts";
import { clusterOption } from "./operated-cluster.ts";

/** The tables of the configuration that is named. */
export interface OperatedTables {
  /** The statements of a ClickHouse cluster that has nothing yet, as a script. */
  script(): string;
  /** Brings the tables up to date. @returns the names of what was done. */
  migrate(): Promise<readonly string[]>;
}

export type OpenTables = (config: string | undefined, io: CommandIo) => OperatedTables;

/** Brings tables up to date as a writer does at its start, or prints the statements. */
export function migrate(open: OpenTables): Command {
  return defineCommand({
    name: "migrate",
    summary: "Makes the tables of a cluster, or brings them up to date, as a writer does at its start.",
    about: `With --print nothing is asked or changed: it prints the statements for a ClickHouse cluster that has no tables yet, to be looked
at or applied by hand, with the names that the configuration gives (clickhouse.cluster, clickhouse.database, retention).`,
    options: {
      print: { type: "boolean", help: "print the statements instead (clickhouse.cluster; by default burnwatch)" },
      ...clusterOption,
    },
    examples: ["burnwatch migrate --print > tables.sql", "burnwatch migrate --config cluster.yaml"],
    async run({ values }, io) {
      const tables = open(values.config, io);
      if (values.print === true) {
        io.stdout.write(tables.script());
        return 0;
      }
      const names = await tables.migrate();
      io.stdout.write(names.length === 0 ? "The tables are up to date.\n" : `Done: ${names.join(", ")}.\n`);
      return 0;
    },
  });
}
