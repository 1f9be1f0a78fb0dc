/** Who and what a call is for, carried over async calls. */

import { attributionKeys } from "./protocol.ts";
import { getRuntime } from "./runtime.ts";

export interface Attribution {
  readonly tenant?: string;
  readonly feature?: string;
  readonly user?: string;
  readonly session?: string;
  readonly conversation?: string;
  readonly agent?: string;
  readonly run?: string;
  readonly promptName?: string;
  readonly promptVersion?: string;
  readonly outcome?: string;
}

/** What an application may pass: `prompt` is short for its name, or for name and version. */
export type AttributionInput = {
  readonly [Name in keyof Attribution]?: string | number | undefined;
} & {
  readonly prompt?: string | { readonly name: string; readonly version?: string | undefined } | undefined;
};

export const attributionNames = [
  "tenant",
  "feature",
  "user",
  "session",
  "conversation",
  "agent",
  "run",
  "promptName",
  "promptVersion",
  "outcome",
] as const satisfies readonly (keyof Attribution)[];

const valueCharactersMax = 256;
const controlCharacters = /\p{Cc}/gu;

/**
 * Runs `work` with these attributes on every model call inside it, also after `await`, in timers and in callbacks.
 * Inner values win over outer ones; the rest is inherited. Returns what `work` returns.
 */
export function withAttribution<Result>(attribution: AttributionInput, work: () => Result): Result {
  const { attributions } = getRuntime();
  return attributions.run({ ...attributions.getStore(), ...cleanAttribution(attribution) }, work);
}

/** The attribution of the running call chain; empty outside of `withAttribution`. */
export function currentAttribution(): Attribution {
  return getRuntime().attributions.getStore() ?? {};
}

/** Known names only; values as strings without control characters, at most 256 long. Empty values are left out. */
export function cleanAttribution(input: AttributionInput): Attribution {
  const clean: Record<string, string> = {};
  const { prompt } = input;
  if (typeof prompt === "string") add(clean, "promptName", prompt);
  else if (prompt !== undefined) {
    add(clean, "promptName", prompt.name);
    add(clean, "promptVersion", prompt.version);
  }
  for (const name of attributionNames) add(clean, name, input[name]);
  return clean;
}

function add(clean: Record<string, string>, name: keyof Attribution, value: unknown): void {
  if (typeof value !== "string" && typeof value !== "number") return;
  const text = String(value).replace(controlCharacters, "").slice(0, valueCharactersMax);
  if (text !== "") clean[name] = text;
}

/** Span attributes of an attribution, under the names of `protocol.ts`. */
export function attributionAttributes(attribution: Attribution): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const name of attributionNames) {
    const value = attribution[name];
    if (value !== undefined) attributes[attributionKeys[name]] = value;
  }
  return attributes;
}
