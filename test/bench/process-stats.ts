/** What Linux knows of a process: CPU time and memory. Elsewhere null: not measured. */

import { readdirSync, readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

/** The clock of /proc/PID/stat, USER_HZ, is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** User and system time of all threads since the process began, in microseconds, to 10 ms. */
export function cpuUs(pid: number): number | null {
  return timesUs(`/proc/${pid}/stat`);
}

/** The same by name of thread, the main one as `main`; threads that have ended are not counted. */
export function cpuUsByThread(pid: number): Map<string, number> {
  const byName = new Map<string, number>();
  for (const thread of threadsOf(pid)) {
    const path = `/proc/${pid}/task/${thread}`;
    const name = thread === String(pid) ? "main" : (read(`${path}/comm`)?.trim() ?? "ended");
    byName.set(name, (byName.get(name) ?? 0) + (timesUs(`${path}/stat`) ?? 0));
  }
  return byName;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Most memory the process ever had resident, in MB. */
export function peakRssMb(pid: number): number | null {
  return statusMb(pid, "VmHWM");
}

/** Memory resident now, in MB. */
export function rssMb(pid: number): number | null {
  return statusMb(pid, "VmRSS");
}

/** Cores, memory, Node: what numbers depend on first. */
export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown CPU";
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores (${model}), ${memory} GB, Node ${process.versions.node}, ${process.platform}-${process.arch}`;
}

/** Microseconds of a clock that all processes of this machine share. */
export function clockUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

function timesUs(path: string): number | null {
  const stat = read(path);
  if (stat === null) return null;
  // The second field is the name in parentheses, which may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / ticksPerSecond;
}

function statusMb(pid: number, name: string): number | null {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(read(`/proc/${pid}/status`) ?? "");
  return found === null ? null : (Number(found[1]) * 1024) / 1e6;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
