/** The jars of the test broker, resolved once by Maven and kept beside the project's other dependencies. */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const pom = fileURLToPath(new URL("../services/kafka/pom.xml", import.meta.url));
const cache = fileURLToPath(new URL("../../node_modules/.cache/kafka", import.meta.url));
const javaMin = 17;
const resolveTimeoutMs = 300_000;
const run = promisify(execFile);

/** The directory of the jars, or why there is none on this machine, as one line. */
export async function kafkaJars(): Promise<{ readonly jars: string } | { readonly missing: string }> {
  const java = await javaVersion();
  if (java < javaMin)
    return { missing: java === 0 ? "Java is not installed" : `Java ${java} is older than ${javaMin}` };
  const digest = createHash("sha256").update(readFileSync(pom)).digest("hex").slice(0, 12);
  const jars = join(cache, digest);
  if (existsSync(jars)) return { jars };
  mkdirSync(cache, { recursive: true });
  // Two suites may resolve at once: each into its own directory, and the first to be done gives it its name.
  const mine = `${jars}.${process.pid}`;
  const words = ["-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime"];
  try {
    await run("mvn", [...words, `-DoutputDirectory=${mine}`], { timeout: resolveTimeoutMs });
    renameSync(mine, jars);
  } catch (error) {
    rmSync(mine, { recursive: true, force: true });
    if (existsSync(jars)) return { jars };
    const { code, stdout = "", message } = error as Error & { readonly code?: unknown; readonly stdout?: string };
    if (code === "ENOENT") return { missing: "Maven is not installed" };
    const line = /\[ERROR\] (.*)/.exec(stdout)?.[1] ?? message;
    return { missing: `Maven could not resolve the broker's jars: ${line.slice(0, 200)}` };
  }
  return { jars };
}

/** 0 where there is none. */
async function javaVersion(): Promise<number> {
  try {
    const { stderr } = await run("java", ["-version"]);
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
