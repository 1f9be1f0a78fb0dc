/** Texts inside message lists, in order. They are measured and hashed, never kept. */

import { asList, asObject } from "./json.ts";

const textKeys = ["role", "text", "content", "parts", "output"] as const;

/** Every string under `role`, `text`, `content`, `parts` and `output` of a message list, a message or a string. */
export function textsOf(value: unknown, texts: string[] = [], depth = 0): string[] {
  if (typeof value === "string") texts.push(value);
  else if (depth > 6) return texts;
  else if (Array.isArray(value)) for (const item of value) textsOf(item, texts, depth + 1);
  else {
    const object = asObject(value);
    if (object === null) return texts;
    for (const key of textKeys) if (object[key] !== undefined) textsOf(object[key], texts, depth + 1);
  }
  return texts;
}

/** Names of the tools on offer stand first in what providers cache; their schemas are left out for their size. */
export function toolNames(tools: unknown): string[] {
  return asList(tools).flatMap((tool) => {
    const object = asObject(tool);
    const name = object?.["name"] ?? asObject(object?.["function"])?.["name"];
    return typeof name === "string" ? [name] : [];
  });
}
