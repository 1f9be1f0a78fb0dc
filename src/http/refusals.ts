/** What was refused to whom and why, since the server started: OTLP exporters do not show it to their users. */

interface Account {
  rejected: number;
  readonly reasons: Map<string, number>;
}

const reasonsMax = 32;

export class Refusals {
  readonly #producersMax: number;
  readonly #accounts = new Map<string, Account>();

  constructor(producersMax: number) {
    this.#producersMax = producersMax;
  }

  note(producer: string, reason: string): void {
    const account = this.#accounts.get(producer) ?? { rejected: 0, reasons: new Map<string, number>() };
    account.rejected++;
    const known = account.reasons.get(reason);
    if (known !== undefined || account.reasons.size < reasonsMax) account.reasons.set(reason, (known ?? 0) + 1);
    this.#accounts.delete(producer);
    this.#accounts.set(producer, account);
    if (this.#accounts.size <= this.#producersMax) return;
    for (const oldest of this.#accounts.keys()) {
      this.#accounts.delete(oldest);
      break;
    }
  }

  of(producer: string): { rejected: number; reasons: Record<string, number> } {
    const account = this.#accounts.get(producer);
    return { rejected: account?.rejected ?? 0, reasons: Object.fromEntries(account?.reasons ?? []) };
  }
}
