/** Reading of foreign JSON: nothing here throws, whatever a provider or an application sends. */

export type JsonObject = Readonly<Record<string, unknown>>;

/** The value as an object, or null for arrays, null and everything else. */
export function asObject(value: unknown): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

/** The value as a list, empty for everything else. */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A token count: a finite number not below zero, rounded down; undefined for everything else. */
export function asCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? Math.floor(value) : undefined;
}

const labelPattern = /^[\w.:/@+ -]{1,128}$/;

/**
 * A short name that a provider chose (model, id, finish reason, tier), or undefined. Anything longer or with other
 * characters is dropped: free text, which may hold a prompt, cannot pass as a label.
 */
export function asLabel(value: unknown): string | undefined {
  return typeof value === "string" && labelPattern.test(value) ? value : undefined;
}

/** Parsed JSON, or undefined where the text is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
