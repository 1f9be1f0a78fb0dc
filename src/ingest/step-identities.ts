/** Identities seen in one step of the resolver. Keyed by span id, which nearly always tells them apart by itself. */

import type { Identity, Seen } from "../event-log/usage-log.ts";

interface Entry {
  readonly identity: Identity;
  seen: Seen;
  /** Another identity with the same span id. */
  readonly next: Entry | undefined;
}

export class StepIdentities {
  readonly #bySpan = new Map<string, Entry>();
  readonly #entries: Entry[] = [];

  get(identity: Identity): Seen | undefined {
    return this.#find(identity)?.seen;
  }

  set(identity: Identity, seen: Seen): void {
    const known = this.#find(identity);
    if (known !== undefined) {
      known.seen = seen;
      return;
    }
    const entry = { identity, seen, next: this.#bySpan.get(identity.spanId) };
    this.#bySpan.set(identity.spanId, entry);
    this.#entries.push(entry);
  }

  /** All of them, in the order in which they were first seen. */
  list(): readonly (readonly [Identity, Seen])[] {
    return this.#entries.map(({ identity, seen }) => [identity, seen]);
  }

  #find({ tenant, traceId, spanId }: Identity): Entry | undefined {
    let entry = this.#bySpan.get(spanId);
    while (entry !== undefined && (entry.identity.traceId !== traceId || entry.identity.tenant !== tenant))
      entry = entry.next;
    return entry;
  }
}
