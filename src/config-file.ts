/** The configuration file: a YAML mapping of keys, and what is wrong with one. */

import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { nearestName } from "./model/nearest-name.ts";

/** A mistake in the configuration: says where, what was expected, and the nearest valid name. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** The values of a file by path. @throws ConfigError for a file that cannot be read, or a key that is none of `paths`. */
export function readConfigFile(file: string, paths: readonly string[]): Map<string, unknown> {
  let document: unknown;
  try {
    document = parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ConfigError(`${file}: ${(error as Error).message}`);
  }
  const flat = new Map<string, unknown>();
  flatten(document ?? {}, { prefix: "", file, paths }, flat);
  return flat;
}

interface Place {
  readonly prefix: string;
  readonly file: string;
  readonly paths: readonly string[];
}

function flatten(node: unknown, { prefix, file, paths }: Place, flat: Map<string, unknown>): void {
  if (typeof node !== "object" || node === null || Array.isArray(node)) {
    throw new ConfigError(
      `${file}: ${prefix === "" ? "the document" : prefix}: expected a mapping of keys, got ${JSON.stringify(node)}`,
    );
  }
  for (const [name, value] of Object.entries(node)) {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    if (paths.includes(path)) flat.set(path, value);
    else if (paths.some((known) => known.startsWith(`${path}.`))) flatten(value, { prefix: path, file, paths }, flat);
    else throw new ConfigError(`${file}: ${path}: unknown key${nearest(path, paths)}`);
  }
}

function nearest(path: string, paths: readonly string[]): string {
  const name = nearestName(path, paths);
  return name === undefined ? `; known keys: ${paths.join(", ")}` : `, did you mean ${name}?`;
}
