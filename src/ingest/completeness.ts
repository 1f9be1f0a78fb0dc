/**
 * How much of what producers numbered has arrived. A producer numbers its records 1, 2, 3 ... and may send a final mark.
 * Repeats count once. Kept is what is missing, so that it may come in any order and however late. Bounded: the producers
 * heard of last are kept, and of too many holes the first is given up.
 */

/** The numbers of one producer. */
interface Account {
  /** Highest number seen, or the final mark's. */
  expected: number;
  /** Numbers in holes that were given up. */
  lost: number;
  /** What has not arrived, ascending: first and last number of each hole, one after the other. */
  readonly holes: number[];
}

type SavedAccount = readonly [producer: string, expected: number, lost: number, holes: readonly number[]];

/** As it was saved before: all up to `settled` had arrived or was lost, and `early` beyond it. */
type SavedBefore = readonly [
  producer: string,
  settled: number,
  lost: number,
  early: readonly number[],
  expected: number,
];

export type CompletenessState = readonly (SavedAccount | SavedBefore)[];

export interface CompletenessLimits {
  readonly producersMax: number;
  /** Of one producer, and of all. */
  readonly holesMax: number;
  readonly holesOfAllMax: number;
}

export const completenessLimits: CompletenessLimits = {
  producersMax: 1000,
  holesMax: 10_000,
  holesOfAllMax: 1_000_000,
};

export class Completeness {
  readonly #limits: CompletenessLimits;
  readonly #accounts = new Map<string, Account>();
  #holes = 0;
  /** Once one was forgotten, whoever is met may be an old acquaintance, and owes nothing of before. */
  #hasForgotten: boolean;

  constructor(state: CompletenessState | undefined, limits = completenessLimits) {
    this.#limits = limits;
    for (const saved of state ?? []) {
      const account = saved.length === 5 ? accountOfBefore(saved) : accountOf(saved);
      this.#accounts.set(saved[0], account);
      this.#holes += account.holes.length / 2;
    }
    this.#hasForgotten = this.#accounts.size >= limits.producersMax;
  }

  /** Takes note of one record, also when it is a repeat. */
  received(producer: string, sequence: number): void {
    this.receivedAll(producer, sequence, sequence);
  }

  /** Takes note of all records from one number to another, both included. */
  receivedAll(producer: string, first: number, last: number): void {
    const account = this.#account(producer, first);
    this.#expect(account, first - 1);
    const next = account.expected + 1;
    if (last >= next) account.expected = last;
    if (first < next) this.#fill(account, first, Math.min(last, next - 1));
    while (account.holes.length > 0 && this.#isFull(account)) this.#giveUp(account);
  }

  /** The producer's last word: how many records there were. */
  final(producer: string, sequence: number): void {
    this.#expect(this.#account(producer, sequence + 1), sequence);
  }

  /** Arrived over expected, 0..1, over the producers that number their records; null where none does. */
  share(): number | null {
    let missing = 0;
    let expected = 0;
    for (const account of this.#accounts.values()) {
      expected += account.expected;
      missing += account.lost;
      for (let at = 0; at < account.holes.length; at += 2)
        missing += (account.holes[at + 1] ?? 0) - (account.holes[at] ?? 0) + 1;
    }
    return expected === 0 ? null : (expected - missing) / expected;
  }

  state(): CompletenessState {
    return [...this.#accounts].map(([producer, { expected, lost, holes }]) => [producer, expected, lost, [...holes]]);
  }

  /** Everything up to this number was sent. */
  #expect(account: Account, sequence: number): void {
    if (sequence <= account.expected) return;
    account.holes.push(account.expected + 1, sequence);
    account.expected = sequence;
    this.#holes++;
  }

  /** Takes numbers out of the holes. */
  #fill({ holes }: Account, first: number, last: number): void {
    const at = firstHoleAfter(holes, first);
    const rest: number[] = [];
    let end = at;
    for (; end < holes.length && (holes[end] ?? 0) <= last; end += 2) {
      const [from, to] = [holes[end] ?? 0, holes[end + 1] ?? 0];
      if (from < first) rest.push(from, first - 1);
      if (to > last) rest.push(last + 1, to);
    }
    this.#holes += (rest.length - (end - at)) / 2;
    holes.splice(at, end - at, ...rest);
  }

  #isFull({ holes }: Account): boolean {
    return holes.length / 2 > this.#limits.holesMax || this.#holes > this.#limits.holesOfAllMax;
  }

  #giveUp(account: Account): void {
    const [from = 0, to = 0] = account.holes.splice(0, 2);
    account.lost += to - from + 1;
    this.#holes--;
  }

  /** @param first the number that it is met with. */
  #account(producer: string, first: number): Account {
    const known = this.#accounts.get(producer);
    const account = known ?? { expected: this.#hasForgotten ? first - 1 : 0, lost: 0, holes: [] };
    this.#accounts.delete(producer);
    this.#accounts.set(producer, account);
    if (this.#accounts.size > this.#limits.producersMax) this.#forgetSilent();
    return account;
  }

  #forgetSilent(): void {
    for (const [producer, { holes }] of this.#accounts) {
      this.#accounts.delete(producer);
      this.#holes -= holes.length / 2;
      break;
    }
    this.#hasForgotten = true;
  }
}

/** Index of the first hole that ends at or after this number. */
function firstHoleAfter(holes: readonly number[], sequence: number): number {
  let [low, high] = [0, holes.length / 2];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((holes[2 * middle + 1] ?? 0) < sequence) low = middle + 1;
    else high = middle;
  }
  return 2 * low;
}

function accountOf([, expected, lost, holes]: SavedAccount): Account {
  return { expected, lost, holes: [...holes] };
}

function accountOfBefore([, settled, lost, early, expected]: SavedBefore): Account {
  const holes: number[] = [];
  let next = settled + 1;
  for (const arrived of [...early].sort((a, b) => a - b)) {
    if (arrived > next) holes.push(next, arrived - 1);
    next = arrived + 1;
  }
  if (next <= expected) holes.push(next, expected);
  return { expected, lost, holes };
}
