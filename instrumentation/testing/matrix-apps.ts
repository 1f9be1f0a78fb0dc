/** The applications of the SDK matrix: one per SDK, module format and presence of another SDK. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import type { Family } from "./sdk-actions.ts";

export interface SdkUnderTest {
  readonly label: string;
  readonly family: Family;
  /** npm aliases of instrumentation/package.json. */
  readonly packages: readonly string[];
}

export const sdksUnderTest: readonly SdkUnderTest[] = [
  { label: "openai 4.104.0", family: "openai", packages: ["openai-4"] },
  { label: "openai 5.23.2", family: "openai", packages: ["openai-5"] },
  { label: "openai 6.49.0", family: "openai", packages: ["openai-6"] },
  { label: "openai 7.57.0", family: "openai", packages: ["openai-7"] },
  { label: "@anthropic-ai/sdk 0.30.1", family: "anthropic", packages: ["anthropic-0.30"] },
  { label: "@anthropic-ai/sdk 0.39.0", family: "anthropic", packages: ["anthropic-0.39"] },
  { label: "@anthropic-ai/sdk 0.69.0", family: "anthropic", packages: ["anthropic-0.69"] },
  { label: "@anthropic-ai/sdk 0.137.0", family: "anthropic", packages: ["anthropic-0.137"] },
  { label: "@anthropic-ai/sdk 1.12.0", family: "anthropic", packages: ["anthropic-1"] },
  { label: "@google/genai 3.1.0", family: "google", packages: ["@google/genai"] },
  { label: "ai 5.0.277", family: "ai", packages: ["ai5", "ai5-openai"] },
  { label: "ai 6.0.326", family: "ai", packages: ["ai6", "ai6-openai"] },
  { label: "ai 7.0.173", family: "ai", packages: ["ai7", "ai7-openai"] },
  { label: "@langchain/openai 1.6.0", family: "langchain", packages: ["@langchain/openai"] },
];

export const formats = ["ESM", "CJS", "tsx", "bundled"] as const;

export type Format = (typeof formats)[number];

const root = join(import.meta.dirname, "..");

/** Writes the application and returns what to run it with: parameters of `node`. The package must be built. */
export async function makeApp(sdk: SdkUnderTest, format: Format, otherSdk: boolean): Promise<string[]> {
  const folder = join(root, "dist", "matrix");
  mkdirSync(folder, { recursive: true });
  const name = `${sdk.packages[0]?.replace(/\W/g, "-")}-${format}${otherSdk ? "-other" : ""}`;
  if (format === "CJS") return [write(join(folder, `${name}.cjs`), commonjsSource(sdk, otherSdk))];
  if (format === "tsx") return ["--import", "tsx", write(join(folder, `${name}.ts`), esmSource(sdk, otherSdk))];
  const entry = write(join(folder, `${name}.mjs`), esmSource(sdk, otherSdk));
  if (format === "ESM") return [entry];
  const outfile = join(folder, `${name}.bundle.cjs`);
  await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "cjs", logLevel: "silent" });
  return [outfile];
}

function write(path: string, source: string): string {
  writeFileSync(path, source);
  return path;
}

const run = (family: Family) => `
const within = (feature, work) => withAttribution({ feature }, work);
runActions({ family: ${JSON.stringify(family)}, sdk, url: process.env.PROVIDER, within }).then(() => console.log("done"));
`;

function esmSource(sdk: SdkUnderTest, otherSdk: boolean): string {
  return `import "@burnwatch/instrumentation/register";
${otherSdk ? 'import "../../testing/other-sdk.ts";' : ""}
import { withAttribution } from "@burnwatch/instrumentation";
import { runActions } from "../../testing/sdk-actions.ts";
${sdk.packages.map((name, index) => `import * as sdk${index} from ${JSON.stringify(name)};`).join("\n")}
const sdk = { ${sdk.packages.map((_, index) => `sdk${index}`).join(", ")} };
${run(sdk.family)}`;
}

function commonjsSource(sdk: SdkUnderTest, otherSdk: boolean): string {
  return `require("@burnwatch/instrumentation/register");
${otherSdk ? 'require("../../testing/other-sdk.ts");' : ""}
const { withAttribution } = require("@burnwatch/instrumentation");
const { runActions } = require("../../testing/sdk-actions.ts");
const sdk = { ${sdk.packages.map((name, index) => `sdk${index}: require(${JSON.stringify(name)})`).join(", ")} };
${run(sdk.family)}`;
}
