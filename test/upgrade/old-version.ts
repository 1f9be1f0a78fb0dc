/** An older version of the server, out of the history of this repository, with the packages of today. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface OldVersion {
  /** Abbreviated. */
  readonly commit: string;
  /** What Node is started with. */
  readonly main: string;
  remove(): void;
}

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
/** The first one whose cluster keeps to the shape of today, for as long as there is no release. */
const firstCluster = "868a3d1718d42a51b91cee4d23fd8314dfe05824";
/** All that runs. */
const taken = ["src", "detectors", "instrumentation/protocol.ts", "package.json"];

/**
 * Lays a version out in a temporary directory. @param ref a commit or tag; by default the newest tag, else the first version with a
 * cluster.
 */
export async function layOut(ref: string | undefined): Promise<OldVersion | { readonly missing: string }> {
  const asked = ref ?? (await git("describe", "--tags", "--abbrev=0").catch(() => firstCluster));
  let commit: string;
  try {
    commit = await git("rev-parse", "--short", "--verify", `${asked}^{commit}`);
  } catch {
    return { missing: `no ${asked} in the history of this copy` };
  }
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-version-"));
  const archive = join(directory, "version.tar");
  await git("archive", "--output", archive, commit, "--", ...taken);
  await run("tar", ["-xf", archive, "-C", directory]);
  rmSync(archive);
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  return {
    commit,
    main: join(directory, "src", "main.ts"),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

async function git(...words: readonly string[]): Promise<string> {
  return (await run("git", ["-C", root, ...words])).stdout.trim();
}
