/** The instrumentation as a package that `npm i URL` takes: built and packed from the clone when first asked for. */

import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
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

/** In a folder of its own: whoever uses the clone's build, another server or an application, is not disturbed. */
async function pack(): Promise<Buffer> {
  const target = mkdtempSync(join(tmpdir(), "burnwatch-package-"));
  try {
    const build = [join(directory, "build.ts"), "--out", join(target, "dist")];
    await execute(process.execPath, build, { cwd: directory, timeout: timeoutMs });
    for (const name of ["package.json", "README.md"]) copyFileSync(join(directory, name), join(target, name));
    await execute("npm", ["pack", "--ignore-scripts", "--silent"], { cwd: target, timeout: timeoutMs });
    const [file = ""] = readdirSync(target).filter((name) => name.endsWith(".tgz"));
    return readFileSync(join(target, file));
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}
