/** Times of traces, in whole microseconds since 1970 (the unit of usage records). */

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Microseconds of an RFC 3339 date-time, digits beyond the microsecond rounded; undefined when the text is none. A library parses to
 * milliseconds at best, and the traces have more digits.
 */
export function parseRfc3339Us(text: string): number | undefined {
  const match = rfc3339.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const dayMs = Date.UTC(year, month - 1, day);
  // Date.UTC turns 30 February into 1 March; a leap second (60) is not representable and is taken as the following second.
  const date = new Date(dayMs);
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const zoneMinutes = parseZoneMinutes(match[8] ?? "Z");
  if (zoneMinutes === undefined) return undefined;
  const seconds = dayMs / 1000 + hour * 3600 + minute * 60 + second - zoneMinutes * 60;
  return seconds * 1_000_000 + Math.round(Number(`0.${match[7] ?? "0"}`) * 1_000_000);
}

function parseZoneMinutes(zone: string): number | undefined {
  if (zone === "Z" || zone === "z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}

const unitUs = { s: 1e6, m: 60e6, h: 3600e6, d: 86_400e6 } as const;

/** Microseconds of a plain duration such as `90s`, `10m`, `1.5h` or `2d`; undefined when the text is none. */
export function parseDurationUs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text);
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * unitUs[match[2] as keyof typeof unitUs]);
}
