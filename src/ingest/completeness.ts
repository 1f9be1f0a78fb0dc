/**
 * How much of what producers numbered has arrived. A producer numbers its records 1, 2, 3 ... and may send a final mark.
 * Repeats count once. Bounded: the producers heard of last are kept, and a hole is given up once many later records came.
 */

interface Account {
  /** Every number up to here has arrived or was given up. */
  settled: number;
  /** Numbers given up as lost, among the settled ones. */
  lost: number;
  /** Numbers above `settled` that have arrived. */
  readonly early: Set<number>;
  /** Highest number seen, or the final mark's. */
  expected: number;
}

type SavedAccount = readonly [
  producer: string,
  settled: number,
  lost: number,
  early: readonly number[],
  expected: number,
];

export type CompletenessState = readonly SavedAccount[];

const earlyMax = 10_000;

export class Completeness {
  readonly #producersMax: number;
  readonly #accounts = new Map<string, Account>();

  constructor(state: CompletenessState | undefined, producersMax = 1000) {
    this.#producersMax = producersMax;
    for (const [producer, settled, lost, early, expected] of state ?? []) {
      this.#accounts.set(producer, { settled, lost, early: new Set(early), expected });
    }
  }

  /** Takes note of one record, also when it is a repeat. */
  received(producer: string, sequence: number): void {
    const account = this.#account(producer);
    if (sequence > account.expected) account.expected = sequence;
    if (sequence <= account.settled) return;
    account.early.add(sequence);
    if (account.early.size > earlyMax) giveUpFirstHole(account);
    while (account.early.delete(account.settled + 1)) account.settled++;
  }

  /** The producer's last word: how many records there were. */
  final(producer: string, sequence: number): void {
    const account = this.#account(producer);
    if (sequence > account.expected) account.expected = sequence;
  }

  /** Arrived over expected, 0..1, over the producers that number their records; null where none does. */
  share(): number | null {
    let arrived = 0;
    let expected = 0;
    for (const account of this.#accounts.values()) {
      arrived += account.settled - account.lost + account.early.size;
      expected += account.expected;
    }
    return expected === 0 ? null : arrived / expected;
  }

  state(): CompletenessState {
    return [...this.#accounts].map(([producer, { settled, lost, early, expected }]) => [
      producer,
      settled,
      lost,
      [...early],
      expected,
    ]);
  }

  #account(producer: string): Account {
    const known = this.#accounts.get(producer);
    if (known !== undefined) {
      this.#accounts.delete(producer);
      this.#accounts.set(producer, known);
      return known;
    }
    const account = { settled: 0, lost: 0, early: new Set<number>(), expected: 0 };
    this.#accounts.set(producer, account);
    if (this.#accounts.size > this.#producersMax) {
      for (const longestSilent of this.#accounts.keys()) {
        this.#accounts.delete(longestSilent);
        break;
      }
    }
    return account;
  }
}

function giveUpFirstHole(account: Account): void {
  const resumed = Math.min(...account.early);
  account.lost += resumed - account.settled - 1;
  account.settled = resumed - 1;
}
