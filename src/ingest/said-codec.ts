/** What an entry of the usage log says beside records: to the detectors, in an entry of its own. */

import type { EnergyReading } from "../model/energy-reading.ts";
import type { ClaimName, IncidentName } from "../model/finding.ts";
import type { EntryReader, EntryWriter } from "./entry-bytes.ts";

/** Lists that are empty are left out. */
export interface Said {
  /** What was measured; at most 1,000. */
  readonly readings?: readonly EnergyReading[];
  /** Incidents that somebody calls the new normal. */
  readonly accepted?: readonly IncidentName[];
  /** What such an incident was made of: in a cluster who folds claims into incidents is not who makes them. */
  readonly relearnt?: readonly ClaimName[];
}

const readingBytesMax = 40;
/** Of the numbers of its texts: a series has at most a dozen names. */
const acceptedBytesMax = 128;
/** Places of texts, apart from those of a record's names. */
const [instancePlace, acceptedPlace] = [30, 31];

/** Writes it after the records; `relearnt` only where there is some, which is the version after. */
export function writeSaid(writer: EntryWriter, { readings = [], accepted = [], relearnt = [] }: Said): void {
  const names = accepted.length + relearnt.length;
  writer.reserve((1 + readings.length) * readingBytesMax + (2 + names) * acceptedBytesMax);
  writer.count(readings.length);
  for (const { instance, fromUs, toUs, joules } of readings) {
    writer.text(instance, instancePlace);
    writer.count(fromUs);
    writer.count(toUs - fromUs);
    writer.double(joules);
  }
  writer.count(accepted.length);
  for (const name of accepted) writeName(writer, name);
  if (relearnt.length === 0) return;
  writer.count(relearnt.length);
  for (const { detector, ...name } of relearnt) {
    writer.text(detector, acceptedPlace);
    writeName(writer, name);
  }
}

function writeName(writer: EntryWriter, { kind, series }: IncidentName): void {
  const names = Object.entries(series);
  writer.text(kind, acceptedPlace);
  writer.count(names.length);
  for (const text of names.flat()) writer.text(text, acceptedPlace);
}

/** Reads what `writeSaid` has written. @param relearns whether the entry's version has `relearnt`. */
export function readSaid(reader: EntryReader, relearns: boolean): Said {
  const readings = Array.from({ length: reader.length() }, () => {
    const instance = reader.text();
    const fromUs = reader.count();
    return { instance, fromUs, toUs: fromUs + reader.count(), joules: reader.double() };
  });
  const accepted = Array.from({ length: reader.length() }, () => readName(reader));
  const relearnt = Array.from({ length: relearns ? reader.length() : 0 }, () => ({
    detector: reader.text(),
    ...readName(reader),
  }));
  return {
    ...(readings.length === 0 ? {} : { readings }),
    ...(accepted.length === 0 ? {} : { accepted }),
    ...(relearnt.length === 0 ? {} : { relearnt }),
  };
}

function readName(reader: EntryReader): IncidentName {
  const kind = reader.text();
  const names = Array.from({ length: reader.length() }, () => [reader.text(), reader.text()] as const);
  return { kind, series: Object.fromEntries(names) };
}
