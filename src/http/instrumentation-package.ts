/** The instrumentation as a package that `npm i URL` takes: built and packed from the clone when first asked for. */

import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { RequestError, sendText } from "./answer.ts";
import type { Route } from "./router.ts";

const directory = fileURLToPath(new URL("../../instrumentation", import.meta.url));
const timeoutMs = 60_000;
const execute = promisify(execFile);

/** `GET /instrumentation.tgz`. A failed build is tried again by the next request. */
export function instrumentationRoute(): Route {
  let packed: Promise<Buffer> | undefined;
  return {
    method: "GET",
    path: "/instrumentation.tgz",
    summary: "The instrumentation for Node: npm i http://127.0.0.1:4319/instrumentation.tgz",
    serve: async ({ response }) => {
      packed ??= pack();
      const body = await packed.catch((error: Error) => {
        packed = undefined;
        throw new RequestError(
          503,
          `the package could not be built: ${error.message}`,
          "npm must be on the server's path",
        );
      });
      sendText(response, { contentType: "application/gzip", body });
    },
  };
}

async function pack(): Promise<Buffer> {
  const target = mkdtempSync(join(tmpdir(), "burnwatch-package-"));
  try {
    await execute(process.execPath, [join(directory, "build.ts")], { cwd: directory, timeout: timeoutMs });
    const words = ["pack", "--ignore-scripts", "--silent", "--pack-destination", target];
    await execute("npm", words, { cwd: directory, timeout: timeoutMs });
    const [file = ""] = readdirSync(target);
    return readFileSync(join(target, file));
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}
