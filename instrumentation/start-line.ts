/** One line at the start that says where spans go; warnings go the same way. Standard error, never standard output. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hasForeignSdk } from "./ambient.ts";
import type { Runtime } from "./runtime.ts";
import type { Settings } from "./settings.ts";
import { vendorsPresent } from "./vendors.ts";

const knownSdks = ["openai", "@anthropic-ai/sdk", "@google/genai", "ai", "@langchain/openai", "@mistralai/mistralai"];

/** Writes the line when the application's own start is done, so that its SDKs and its tracing are known. */
export function announce(runtime: Runtime): void {
  setImmediate(() => {
    const { endpoint, serviceName } = runtime.settings;
    const sdks = seenSdks(process.cwd());
    const seen = sdks.length === 0 ? "no SDK found in node_modules (bundled?)" : sdks.join(", ");
    const others = [...(hasForeignSdk() ? ["OpenTelemetry"] : []), ...vendorsPresent()];
    const beside = others.length === 0 ? "" : `; beside ${others.join(" and ")}, left as it is`;
    logLine(
      runtime.settings,
      `on: ${withoutSecrets(endpoint)}, service "${serviceName}", SDKs seen: ${seen}, guard inert${beside}`,
    );
  });
}

/** User, password and query of a URL are nobody's business. */
function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return "an endpoint that is no URL";
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** One line on standard error, unless `BURNWATCH_LOG=off`. */
export function logLine(settings: Settings, line: string): void {
  if (settings.quiet) return;
  try {
    process.stderr.write(`burnwatch: ${line}\n`);
  } catch {
    // A closed standard error is no reason to disturb the application.
  }
}

function seenSdks(directory: string): string[] {
  const seen: string[] = [];
  for (const name of knownSdks) {
    try {
      const path = join(directory, "node_modules", name, "package.json");
      const parsed = JSON.parse(readFileSync(path, "utf8")) as { version?: unknown };
      seen.push(`${name} ${String(parsed.version)}`);
    } catch {
      // Not installed here.
    }
  }
  return seen;
}
