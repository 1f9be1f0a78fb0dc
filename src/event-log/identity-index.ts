/**
 * The exact index of identities, in generations: a generation covers a span of arrival time, and the oldest is dropped
 * whole, so that forgetting costs no search. About 70 bytes on disk per record (28 of key, 8 of value, tree).
 */

import type { Database, RootDatabase } from "lmdb";
import type { Identity, IdentityStats, Seen } from "./usage-log.ts";

export interface IdentityIndexOptions {
  /** Every identity is known for at least this long by arrival, unless `entriesMax` cuts it. */
  readonly horizonMs: number;
  readonly entriesMax: number;
}

interface Generation {
  readonly number: number;
  readonly startedAtMs: number;
  entries: number;
}

/** Two generations cover one horizon; with the one that is filling, three exist. */
const generationsPerHorizon = 2;
const generationsMax = generationsPerHorizon + 1;
const slots = generationsMax + 1;
const generationsMark = "identity.generations";
const tenantsMark = "identity.tenants";

export class IdentityIndex {
  readonly #options: IdentityIndexOptions;
  readonly #marks: Database<unknown, string>;
  readonly #databases: readonly Database<Buffer, Buffer>[];
  readonly #tenants: Map<string, number>;
  /** Oldest first; the last one is being filled. */
  #generations: Generation[];
  #shortened = false;
  readonly #key = Buffer.alloc(28);

  constructor(environment: RootDatabase, options: IdentityIndexOptions) {
    this.#options = options;
    this.#marks = environment.openDB({ name: "index" });
    this.#databases = Array.from({ length: slots }, (_, slot) =>
      environment.openDB({ name: `identities-${slot}`, encoding: "binary", keyEncoding: "binary" }),
    );
    this.#generations = (this.#marks.get(generationsMark) as Generation[] | undefined) ?? [];
    this.#tenants = new Map((this.#marks.get(tenantsMark) as [string, number][] | undefined) ?? []);
  }

  seen(identity: Identity): Seen | undefined {
    const tenant = this.#tenants.get(identity.tenant);
    if (tenant === undefined) return undefined;
    const key = this.#fillKey(identity, tenant);
    for (let index = this.#generations.length - 1; index >= 0; index--) {
      const generation = this.#generations[index];
      if (generation === undefined || generation.entries === 0) continue;
      const value = this.#database(generation.number).get(key);
      if (value !== undefined) return { revision: value.readUInt32LE(4), contentHash: value.readUInt32LE(0) };
    }
    return undefined;
  }

  /** Puts identities into the transaction that is being collected. Call it inside the step's batch. */
  add(identities: readonly (readonly [Identity, Seen])[], arrivedAtMs: number): void {
    if (identities.length === 0) return;
    const generation = this.#fillingGeneration(identities.length, arrivedAtMs);
    const database = this.#database(generation.number);
    for (const [identity, seen] of identities) {
      const value = Buffer.allocUnsafe(8);
      value.writeUInt32LE(seen.contentHash >>> 0, 0);
      value.writeUInt32LE(seen.revision, 4);
      database.put(Buffer.from(this.#fillKey(identity, this.#tenantNumber(identity.tenant))), value);
    }
    generation.entries += identities.length;
    this.#marks.put(generationsMark, this.#generations);
  }

  stats(nowMs: number): IdentityStats {
    const entries = this.#generations.reduce((sum, generation) => sum + generation.entries, 0);
    const oldest = this.#generations[0]?.startedAtMs ?? nowMs;
    const complete = this.#generations.length < generationsMax && !this.#shortened;
    const horizonMs = complete ? this.#options.horizonMs : Math.min(this.#options.horizonMs, nowMs - oldest);
    return { entries, entriesMax: this.#options.entriesMax, horizonMs, shortened: this.#shortened };
  }

  #fillKey(identity: Identity, tenant: number): Buffer {
    this.#key.write(identity.traceId, 0, 16, "hex");
    this.#key.write(identity.spanId, 16, 8, "hex");
    this.#key.writeUInt32BE(tenant, 24);
    return this.#key;
  }

  #database(generation: number): Database<Buffer, Buffer> {
    const database = this.#databases[generation % slots];
    if (database === undefined) throw new Error(`identity generation ${generation} has no database`);
    return database;
  }

  #tenantNumber(tenant: string): number {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) return known;
    const number = this.#tenants.size;
    this.#tenants.set(tenant, number);
    this.#marks.put(tenantsMark, [...this.#tenants]);
    return number;
  }

  #fillingGeneration(adding: number, arrivedAtMs: number): Generation {
    const current = this.#generations.at(-1);
    const full = current !== undefined && current.entries + adding > this.#options.entriesMax / generationsMax;
    const aged =
      current !== undefined && arrivedAtMs - current.startedAtMs >= this.#options.horizonMs / generationsPerHorizon;
    if (current !== undefined && !full && !aged) return current;
    const next = { number: (current?.number ?? -1) + 1, startedAtMs: arrivedAtMs, entries: 0 };
    this.#generations.push(next);
    if (this.#generations.length > generationsMax) {
      const dropped = this.#generations.shift();
      const heldMs = arrivedAtMs - (this.#generations[0]?.startedAtMs ?? arrivedAtMs);
      this.#shortened = heldMs < this.#options.horizonMs;
      // The slot after the filling one is always empty, so clearing never races with a reader of a live generation.
      if (dropped !== undefined) void this.#database(dropped.number).clearAsync();
    }
    return next;
  }
}
