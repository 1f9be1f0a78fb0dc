/** `burnwatch doctor`: what is wrong with this installation, and what to do about it. */

import { statfs } from "node:fs/promises";
import { z } from "zod";
import { type ApiClient, ApiError, createApiClient } from "./api-client.ts";
import { apiOption, type Command, type CommandIo, defineCommand } from "./command.ts";
import { clusterOption } from "./operated-cluster.ts";
import { plainText } from "./table.ts";

const checkSchema = z.object({
  name: z.string(),
  status: z.enum(["ok", "warn", "fail"]),
  detail: z.string(),
  /** What to do; empty where the status is ok. */
  advice: z.string(),
});

const answerSchema = z.object({ checks: z.array(checkSchema) });

export type Check = z.infer<typeof checkSchema>;

const nodeLeast = [22, 22] as const;
const gigabyte = 1e9;

/** What a configuration says, and what becomes of it. */
export interface Configured {
  /** The data directory of the file that was named; null where none was. */
  readonly data: string | null;
  /** Of the cluster that is configured; null where none is. */
  readonly checks: readonly Check[] | null;
}

export type CheckCluster = (config: string | undefined, io: CommandIo) => Promise<Configured>;

/** Checks of this machine, then those that the server makes of itself, or those of the cluster that is configured. */
export function doctor(checkCluster: CheckCluster): Command {
  return defineCommand({
    name: "doctor",
    summary: "What is wrong with this installation, and what to do about it.",
    about: `Where brokers are configured (kafka.brokers) it looks after the cluster: brokers, topics, permissions, parts that work,
ClickHouse, its tables, and clocks. A process of it has checks of its own only with --api.`,
    options: {
      json: { type: "boolean", help: "the checks as JSON" },
      ...clusterOption,
      ...apiOption,
    },
    examples: [
      "burnwatch doctor",
      "burnwatch doctor --api http://127.0.0.1:4320",
      "burnwatch doctor --config cluster.yaml --json",
    ],
    async run({ values }, io) {
      const { data, checks: ofCluster } = await checkCluster(values.config, io);
      const client = createApiClient({ api: values.api, env: io.env, signal: io.signal });
      const asked = ofCluster === null || values.api !== undefined;
      const ofServer = asked ? await checkServer(client) : [];
      const checks = [
        checkNode(process.versions.node),
        await checkDisk(data ?? io.env["BURNWATCH_DATA"] ?? "."),
        ...(ofCluster ?? []),
        ...ofServer,
      ];
      const failed = checks.filter((check) => check.status === "fail").length;
      const warned = checks.filter((check) => check.status === "warn").length;
      if (values.json === true) io.stdout.write(`${JSON.stringify({ checks })}\n`);
      else io.stdout.write(`${checks.map(textOf).join("")}${verdict(failed, warned)}\n`);
      return failed > 0 ? 1 : 0;
    },
  });
}

/** The server needs a newer Node than a command does. */
export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const enough = major > nodeLeast[0] || (major === nodeLeast[0] && minor >= nodeLeast[1]);
  const detail = `Node ${version}`;
  if (enough) return { name: "node", status: "ok", detail, advice: "" };
  return {
    name: "node",
    status: "fail",
    detail: `${detail}, but the server needs ${nodeLeast.join(".")} or newer`,
    advice: "start it with npm start, which brings its own Node on Linux, or install a newer one",
  };
}

async function checkDisk(path: string): Promise<Check> {
  try {
    const { bavail, bsize } = await statfs(path);
    return judgeDisk(path, bavail * bsize);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      name: "free space",
      status: "warn",
      detail: `that of ${path} is unknown: ${reason}`,
      advice: "name the server's data directory: --config FILE with data, or BURNWATCH_DATA",
    };
  }
}

/** What so much free space is worth. */
export function judgeDisk(path: string, freeBytes: number): Check {
  const detail = `${(freeBytes / gigabyte).toFixed(1)} GB where ${path} is`;
  if (freeBytes >= 5 * gigabyte) return { name: "free space", status: "ok", detail, advice: "" };
  const advice = "free some, or move the data directory (BURNWATCH_DATA): a full disk stops the receiver";
  return { name: "free space", status: freeBytes < gigabyte ? "fail" : "warn", detail, advice };
}

async function checkServer(client: ApiClient): Promise<readonly Check[]> {
  try {
    const { checks } = await client.json({ path: "doctor" }, answerSchema);
    return [{ name: "api", status: "ok", detail: `the server at ${client.url} answers`, advice: "" }, ...checks];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return [{ name: "api", status: "fail", detail: error.message, advice: error.hint ?? "" }];
  }
}

function textOf(check: Check): string {
  const advice = check.advice === "" || check.status === "ok" ? "" : `      -> ${plainText(check.advice)}\n`;
  return `${check.status.padEnd(4)}  ${plainText(check.name)}: ${plainText(check.detail)}\n${advice}`;
}

function verdict(failed: number, warned: number): string {
  if (failed + warned === 0) return "All is well.";
  return [failed > 0 ? `${failed} failed` : "", warned > 0 ? `${warned} to look at` : ""].filter(Boolean).join(", ");
}
