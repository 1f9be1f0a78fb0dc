/** Why an entry of a log cannot be read, as far as it decides what is done with it. */

/** No version has written these bytes: they are put aside where a log can do that. */
export class CorruptEntry extends Error {
  override name = "CorruptEntry";
}

/** Another version of Burnwatch has written it, and can read it: it waits for that one. */
export class OtherVersionEntry extends Error {
  override name = "OtherVersionEntry";
}
