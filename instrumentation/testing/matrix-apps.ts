/** The applications of the SDK matrix: one per SDK, module format and presence of another SDK. */

import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { type Family, type Mode, modes } from "./sdk-actions.ts";

export interface SdkUnderTest {
  readonly label: string;
  readonly family: Family;
  /** npm aliases of instrumentation/package.json. */
  readonly packages: readonly string[];
  readonly modes?: readonly Mode[];
  /** Where its calls cannot be seen: there none may be, and one warning must say so. */
  readonly unsupported?: (variant: Variant) => boolean;
  /** Directory to run in, where it is not the package's. */
  readonly directory?: string;
}

const bedrock: SdkUnderTest = {
  label: "Bedrock, with the peer",
  family: "bedrock",
  packages: ["@aws-sdk/client-bedrock-runtime"],
  modes: ["plain", "stream", "error"],
  unsupported: ({ format }) => format === "bundled",
};

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
  bedrock,
  // The peer is looked for from the directory that the application runs in.
  { ...bedrock, label: "Bedrock, without it", unsupported: () => true, directory: tmpdir() },
];

export const formats = ["ESM", "CJS", "tsx", "bundled"] as const;

export type Format = (typeof formats)[number];

/** Whose tracing the application runs beside ours. */
export type Beside = "nothing" | "OpenTelemetry" | "Datadog" | "Sentry";

export interface Variant {
  /** Column of the README's table; several variants may share one. */
  readonly column: string;
  readonly format: Format;
  readonly beside: Beside;
}

export const variants: readonly Variant[] = [
  ...formats.flatMap((format): Variant[] => [
    { column: format, format, beside: "nothing" },
    { column: `${format} + OTel`, format, beside: "OpenTelemetry" },
  ]),
  ...(["Datadog", "Sentry"] as const).flatMap((beside): Variant[] => [
    { column: `+ ${beside}`, format: "ESM", beside },
    { column: `+ ${beside}`, format: "CJS", beside },
  ]),
];

const root = join(import.meta.dirname, "..");

/** Writes the application and returns what to run it with: parameters of `node`. The package must be built. */
export async function makeApp(sdk: SdkUnderTest, { format, beside }: Variant): Promise<string[]> {
  const folder = join(root, "dist", "matrix");
  mkdirSync(folder, { recursive: true });
  const name = `${sdk.label.replace(/\W/g, "-")}-${format}-${beside}`;
  if (format === "CJS") return [write(join(folder, `${name}.cjs`), commonjsSource(sdk, beside))];
  if (format === "tsx")
    return ["--import", import.meta.resolve("tsx"), write(join(folder, `${name}.ts`), esmSource(sdk, beside))];
  const entry = write(join(folder, `${name}.mjs`), esmSource(sdk, beside));
  if (format === "ESM") return [...preloads[beside], entry];
  const outfile = join(folder, `${name}.bundle.cjs`);
  await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "cjs", logLevel: "silent" });
  return [outfile];
}

/** As the vendors tell ES modules to be started: before the application, and so before ours; in CommonJS it is after. */
const preloads: Record<Beside, readonly string[]> = {
  nothing: [],
  OpenTelemetry: [],
  Datadog: ["--import", import.meta.resolve("dd-trace/initialize.mjs")],
  Sentry: ["--import", join(root, "testing", "beside-sentry.ts")],
};

function write(path: string, source: string): string {
  writeFileSync(path, source);
  return path;
}

const run = ({ family, modes: chosen = modes }: SdkUnderTest) => `
const modes = ${JSON.stringify(chosen)};
const within = (feature, work) => withAttribution({ feature }, work);
runActions({ family: ${JSON.stringify(family)}, sdk, url: process.env.PROVIDER, modes, within }).then(() => console.log("done"));
`;

function esmSource(sdk: SdkUnderTest, beside: Beside): string {
  return `import "@burnwatch/instrumentation/register";
${beside === "OpenTelemetry" ? 'import "../../testing/beside-opentelemetry.ts";' : ""}
import { withAttribution } from "@burnwatch/instrumentation";
import { runActions } from "../../testing/sdk-actions.ts";
${sdk.packages.map((name, index) => `import * as sdk${index} from ${JSON.stringify(name)};`).join("\n")}
const sdk = { ${sdk.packages.map((_, index) => `sdk${index}`).join(", ")} };
${run(sdk)}`;
}

function commonjsSource(sdk: SdkUnderTest, beside: Beside): string {
  return `require("@burnwatch/instrumentation/register");
${beside === "nothing" ? "" : `require("../../testing/beside-${beside.toLowerCase()}.ts");`}
const { withAttribution } = require("@burnwatch/instrumentation");
const { runActions } = require("../../testing/sdk-actions.ts");
const sdk = { ${sdk.packages.map((name, index) => `sdk${index}: require(${JSON.stringify(name)})`).join(", ")} };
${run(sdk)}`;
}
