/** A file system of a few megabytes, mounted for one scenario; only root on Linux can. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk {
  readonly path: string;
  remount(mode: "ro" | "rw"): void;
  unmount(): void;
}

/** What lets a server work on so small a disk: it keeps this many bytes free instead of hundreds of megabytes. */
export const smallDiskEnvironment = { BURNWATCH_DISK_FREE_BYTES_MIN: "16000000" };

/** The disk, or one line saying why there is none. */
export function mountSmallDisk(megabytes: number): SmallDisk | string {
  if (process.platform !== "linux") return `needs Linux to mount a tmpfs, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "needs root to mount a tmpfs";
  const path = mkdtempSync(join(tmpdir(), "burnwatch-disk-"));
  const refused = run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path]);
  if (refused !== null) {
    rmdirSync(path);
    return `mounting a tmpfs was refused: ${refused}`;
  }
  return {
    path,
    remount(mode) {
      const error = run("mount", ["-o", `remount,${mode}`, path]);
      if (error !== null) throw new Error(`remount ${mode}: ${error}`);
    },
    unmount() {
      run("umount", ["--lazy", path]);
      rmdirSync(path);
    },
  };
}

function run(program: string, words: readonly string[]): string | null {
  const { status, stderr, error } = spawnSync(program, words, { encoding: "utf8" });
  return status === 0 ? null : (error?.message ?? stderr.trim());
}
