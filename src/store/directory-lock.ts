/**
 * Who holds the engine's lock on a data directory. The engine itself only says "failed to create connection" and prints
 * the reason past the process's own log, so it is asked beforehand where the system can tell (Linux).
 */

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** The id of another process that has the directory open; undefined when none has, or the system cannot tell. */
export function directoryHolder(directory: string): number | undefined {
  try {
    const { dev, ino } = statSync(join(directory, "status"));
    // Linux numbers a device as 12 bits of major between 8 and 12 bits of minor; /proc/locks prints both in hex.
    const hex = (part: number) => part.toString(16).padStart(2, "0");
    const device = `${hex((dev >>> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >>> 12) & 0xfff00))}`;
    for (const line of readFileSync("/proc/locks", "utf8").split("\n")) {
      const [, kind, , , pid, file] = line.trim().split(/\s+/);
      if (kind === "FLOCK" && file === `${device}:${ino}` && Number(pid) !== process.pid) return Number(pid);
    }
  } catch {
    // No status file: nobody has it open. No /proc/locks: the engine will refuse by itself.
  }
  return undefined;
}
