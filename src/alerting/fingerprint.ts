import { createHash } from "node:crypto";

/** 16 hex digits over kind and labels, independent of their order. Equal for the same incident, for ever. */
export function fingerprint(kind: string, labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([kind, sorted]))
    .digest("hex")
    .slice(0, 16);
}
