/** Instrumentation scopes: name, version, and patterns of names. */

export interface Scope {
  readonly name: string;
  /** "" where none was sent. */
  readonly version: string;
}

/** Takes `name@version` apart; npm names may begin with an `@` of their own. */
export function scopeOf(scope: string): Scope {
  const at = scope.lastIndexOf("@");
  if (at <= 0) return { name: scope, version: "" };
  return { name: scope.slice(0, at), version: scope.slice(at + 1) };
}

/** True when a scope's name is the pattern, or begins with it where the pattern ends in `*`. */
export function scopeMatches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** True when the version is lower by its numbers; a version without numbers is not lower than any. */
export function versionBelow(version: string, limit: string): boolean {
  const [own, other] = [version, limit].map((text) => text.split(/[.+-]/, 3).map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (own?.[part] ?? 0) - (other?.[part] ?? 0);
    if (Number.isNaN(difference)) return false;
    if (difference !== 0) return difference < 0;
  }
  return false;
}
