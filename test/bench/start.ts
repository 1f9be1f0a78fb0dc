/** How long a start takes with data present, and what the server holds when nothing happens. */

import type { Bench, Table } from "./bench.ts";
import { dataset } from "./dataset.ts";
import { cpuUs, rssMb } from "./process-stats.ts";
import { startServerProcess } from "./server-process.ts";
import { mediansOf } from "./statistics.ts";

const idleMs = 10_000;
const measures = ["readyMs", "rssMb", "idleCpuPercent"] as const;

export const start: Bench = {
  name: "start",
  summary: "spawn to /readyz with data present; memory after 10 s of idling",
  async run(options): Promise<readonly Table[]> {
    const made = await dataset(options);
    const withData: Started[] = [];
    const empty: Started[] = [];
    for (let run = 1; run <= options.runs; run++) {
      options.progress(`run ${run} of ${options.runs}`);
      withData.push(await measure(made.directory));
      empty.push(await measure(undefined));
    }
    const row = (name: string, runs: readonly Started[]) => {
      const medians = mediansOf(runs, measures);
      return [name, ...measures.map((measure) => medians[measure])];
    };
    return [
      {
        title: `start of \`burnwatch serve\`; medians of ${options.runs}`,
        columns: [
          { title: "data" },
          { title: "ready after ms", digits: 0 },
          { title: "RSS after 10 s, MB", digits: 0 },
          { title: "idle CPU, %", digits: 1 },
        ],
        rows: [row(`${made.records} records in the store`, withData), row("a new directory", empty)],
        notes: [
          "From spawn to the first 200 of /readyz, asked every 10 ms; the page cache is warm. A new directory includes making the tables.",
          "The logs and the detector's snapshot are empty in both: the records were put into the store directly.",
        ],
      },
    ];
  },
};

type Started = Readonly<Record<(typeof measures)[number], number | null>>;

async function measure(directory: string | undefined): Promise<Started> {
  const server = await startServerProcess(directory === undefined ? {} : { directory });
  try {
    const before = cpuUs(server.pid);
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    const after = cpuUs(server.pid);
    return {
      readyMs: server.readyMs,
      rssMb: rssMb(server.pid),
      idleCpuPercent: before === null || after === null ? null : (after - before) / 1000 / (idleMs / 100),
    };
  } finally {
    await server.stop();
  }
}
