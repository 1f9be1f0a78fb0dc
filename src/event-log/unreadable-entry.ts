/** Why an entry of a log cannot be read, as far as it decides what is done with it. */

/** No version has written these bytes: they are put aside where a log can do that. */
export class CorruptEntry extends Error {
  override name = "CorruptEntry";
}

/** Another version of Burnwatch has written it, and can read it: it waits for that one. */
export class OtherVersionEntry extends Error {
  override name = "OtherVersionEntry";
}

/** What is further ahead is taken for garbage: there is no garbage that waits for ever. */
export const versionsAheadMax = 16;

/** What is known here of a version that was found. @param what is read, and `known` the newest of it that can be. */
export function checkVersion(what: string, found: unknown, known: number): void {
  if (typeof found !== "number" || !Number.isSafeInteger(found) || found < 1 || found > known + versionsAheadMax)
    throw new CorruptEntry(`${what}: it has no version`);
  if (found > known)
    throw new OtherVersionEntry(
      `${what}: version ${found}, this Burnwatch reads version ${known}: start the version that wrote it`,
    );
}
