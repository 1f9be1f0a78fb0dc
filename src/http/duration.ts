/** Times as people write them on a command line. */

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/**
 * Unix milliseconds of `24h`, `7d` (that long before now), an RFC 3339 time, or epoch milliseconds.
 * @returns undefined when the text is none of them.
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  const ago = /^(\d+)(s|m|h|d|w)$/.exec(text);
  if (ago !== null) return nowMs - Number(ago[1]) * (unitMs[ago[2] ?? ""] ?? 0);
  if (/^\d{12,14}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
