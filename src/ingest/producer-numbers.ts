/**
 * What producers numbered among the spans that a resolver has read: noted where it does not see all of a producer's
 * numbers, and handed on to who does.
 */

import { CorruptEntry, checkVersion } from "../event-log/unreadable-entry.ts";
import type { Completeness } from "./completeness.ts";

interface Noted {
  readonly sequences: number[];
  /** Of the final mark; 0 where there was none. */
  final: number;
}

interface NumbersEntry {
  readonly version: 1;
  readonly producers: readonly (readonly [producer: string, ranges: readonly number[], final: number])[];
}

/** As a `Completeness` takes them; what is noted waits until it is taken. */
export class ProducerNumbers {
  readonly #noted = new Map<string, Noted>();

  received(producer: string, sequence: number): void {
    this.#of(producer).sequences.push(sequence);
  }

  final(producer: string, sequence: number): void {
    const noted = this.#of(producer);
    noted.final = Math.max(noted.final, sequence);
  }

  /** Everything noted since the last time, encoded; null where that is nothing. */
  take(): Uint8Array | null {
    if (this.#noted.size === 0) return null;
    const producers = Array.from(
      this.#noted,
      ([producer, { sequences, final }]) => [producer, rangesOf(sequences), final] as const,
    );
    this.#noted.clear();
    return Buffer.from(JSON.stringify({ version: 1, producers } satisfies NumbersEntry));
  }

  #of(producer: string): Noted {
    const known = this.#noted.get(producer);
    if (known !== undefined) return known;
    const noted = { sequences: [], final: 0 };
    this.#noted.set(producer, noted);
    return noted;
  }
}

/** Adds what a resolver has handed on. @throws OtherVersionEntry, CorruptEntry. */
export function addNumbers(completeness: Completeness, payload: Uint8Array): void {
  const { producers } = decodeNumbers(payload);
  for (const [producer, ranges, final] of producers) {
    for (let at = 0; at < ranges.length; at += 2)
      completeness.receivedAll(producer, ranges[at] ?? 0, ranges[at + 1] ?? 0);
    if (final > 0) completeness.final(producer, final);
  }
}

/** What a resolver has handed on. @throws OtherVersionEntry, CorruptEntry. */
export function decodeNumbers(payload: Uint8Array): NumbersEntry {
  let entry: NumbersEntry;
  try {
    entry = JSON.parse(Buffer.from(payload).toString()) as NumbersEntry;
  } catch (error) {
    throw new CorruptEntry(`no numbers of producers: ${(error as Error).message}`, { cause: error });
  }
  checkVersion("numbers of producers", (entry as Partial<NumbersEntry> | null)?.version, 1);
  if (!Array.isArray(entry.producers)) throw new CorruptEntry("numbers of producers: there are none");
  return entry;
}

/** First and last of each run of numbers without a gap, one after the other. */
function rangesOf(sequences: readonly number[]): readonly number[] {
  const ranges: number[] = [];
  for (const sequence of [...sequences].sort((a, b) => a - b)) {
    if (ranges.length > 0 && sequence <= (ranges.at(-1) ?? 0) + 1) ranges[ranges.length - 1] = sequence;
    else ranges.push(sequence, sequence);
  }
  return ranges;
}
