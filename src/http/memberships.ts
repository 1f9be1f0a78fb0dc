/** Whether the groups of this process have it: who is outside of one does nothing of what it was started for. */

import { Gauge, type Registry } from "prom-client";

export interface MembershipSource {
  readonly group: string;
  /** Why this process is not in the group; null while it is. */
  outside(): string | null;
}

export class Memberships {
  readonly #sources: MembershipSource[] = [];
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** The gauge is there from the first source on. */
  add(source: MembershipSource): void {
    this.#sources.push(source);
    if (this.#sources.length === 1) this.#register(this.#sources);
  }

  /** The first reason why this process is not in one of its groups; null where it is in all of them. */
  outside(): string | null {
    return this.#sources.map((source) => source.outside()).find((reason) => reason !== null) ?? null;
  }

  #register(sources: readonly MembershipSource[]): void {
    new Gauge({
      name: "burnwatch_group_member",
      help: "1 while this process is in the group of its role, 0 while the brokers do not take it.",
      labelNames: ["group"],
      registers: [this.#registry],
      collect() {
        for (const { group, outside } of sources.map((source) => ({ group: source.group, outside: source.outside() })))
          this.set({ group }, outside === null ? 1 : 0);
      },
    });
  }
}
