/** How far the groups of this process are behind, asked of the brokers when somebody collects, and not too often. */

import { Gauge, type Registry } from "prom-client";

/** A group's share in this process; the rest is told by those who have it. */
export interface LagSource {
  readonly group: string;
  readonly topic: string;
  lag(): Promise<readonly PartitionRecords[]>;
}

interface PartitionRecords {
  readonly partition: number;
  readonly records: number;
}

const askEveryMs = 10_000;
/** Collectors give up after ten seconds; what is not answered by then is told the next time. */
const patienceMs = 2000;

/** A gauge by group, topic and partition. Where the brokers do not answer it has what it had. */
export class LagGauge {
  readonly #readings: Reading[] = [];
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** The gauge is there from the first source on. */
  add(source: LagSource): void {
    this.#readings.push(new Reading(source));
    if (this.#readings.length === 1) this.#register(this.#readings);
  }

  #register(readings: readonly Reading[]): void {
    new Gauge({
      name: "burnwatch_lag_records",
      help: "Records of a topic (entries, and ends of transactions) that a group has not done with, by partition of this process.",
      labelNames: ["group", "topic", "partition"],
      registers: [this.#registry],
      async collect() {
        await Promise.all(readings.map((reading) => reading.refresh()));
        this.reset();
        for (const { source, lag } of readings)
          for (const { partition, records } of lag)
            this.set({ group: source.group, topic: source.topic, partition }, records);
      },
    });
  }
}

class Reading {
  readonly source: LagSource;
  lag: readonly PartitionRecords[] = [];
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> = Promise.resolve();

  constructor(source: LagSource) {
    this.source = source;
  }

  async refresh(): Promise<void> {
    if (performance.now() - this.#askedAtMs >= askEveryMs) {
      this.#askedAtMs = performance.now();
      const asked = this.source.lag().then((lag) => {
        this.lag = lag;
      });
      this.#asking = asked.catch(() => undefined);
    }
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, patienceMs);
    await Promise.race([this.#asking, patience.promise]);
    clearTimeout(timer);
  }
}
