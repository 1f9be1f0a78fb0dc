/** One problem of a file as a person reads it: the path, what was expected, what is there, and the nearest valid name. */

import type { z } from "zod";
import { nearestName } from "../../model/nearest-name.ts";

export interface IssueContext {
  /** What was parsed. */
  readonly content: unknown;
  /** The valid keys of the object at a path. */
  readonly knownKeys: (path: readonly PropertyKey[], content: unknown) => readonly string[];
}

/** A line such as `incidents[0].where: unknown key "feture", did you mean "feature"?`. */
export function explainIssue(issue: z.core.$ZodIssue, context: IssueContext): string {
  if (issue.code === "unrecognized_keys") {
    const known = context.knownKeys(issue.path, context.content);
    const texts = issue.keys.map((key) => `unknown key "${key}"${suggestion(key, known)}`);
    return `${shownPath(issue.path)}: ${texts.join(", ")}`;
  }
  const found = valueAt(context.content, issue.path);
  if (issue.code === "invalid_union" && "options" in issue && Array.isArray(issue.options)) {
    const options = issue.options.map(String);
    const nearest = typeof found === "string" ? suggestion(found, options) : "";
    return `${shownPath(issue.path)}: expected one of ${options.join(", ")}, found ${shownValue(found)}${nearest}`;
  }
  const message = issue.message.replace(/^Invalid input: |^Too (small|big): /, "").replace(/, received \w+$/, "");
  return `${shownPath(issue.path)}: ${message}, found ${shownValue(found)}`;
}

function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? ` (known: ${known.join(", ")})` : `, did you mean "${nearest}"?`;
}

function shownPath(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  return text === "" ? "the file" : text.replace(/^\./, "");
}

function shownValue(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value).slice(0, 80);
}

function valueAt(content: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = content;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}
