/** A receiver of alerts that counts how often each was told. */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

interface Posted {
  readonly alerts: readonly {
    readonly status: "firing" | "resolved";
    readonly labels: Readonly<Record<string, string>>;
    readonly startsAt: string;
  }[];
}

/** What the receiver heard of one alert. */
export interface ToldAlert {
  readonly tenant: string;
  readonly kind: string;
  readonly startsAtMs: number;
  /** How often it was told as firing. */
  readonly times: number;
}

export class Webhook {
  readonly #server: Server;
  /** By tenant: the times of onset that were told as firing, each with how often. */
  readonly #firing = new Map<string, Map<string, number>>();
  /** The same of each kind by itself. */
  readonly #told = new Map<string, ToldAlert>();

  static async start(): Promise<Webhook> {
    const webhook = new Webhook();
    await new Promise<void>((done) => webhook.#server.listen(0, "127.0.0.1", done));
    return webhook;
  }

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const posted = (await json(request).catch(() => undefined)) as Posted | undefined;
      response.end();
      for (const { status, labels, startsAt } of posted?.alerts ?? []) {
        if (status !== "firing") continue;
        const onsets = this.#firing.get(labels["tenant"] ?? "") ?? new Map<string, number>();
        onsets.set(startsAt, (onsets.get(startsAt) ?? 0) + 1);
        this.#note(labels["tenant"] ?? "", labels["alertname"] ?? "", startsAt);
        this.#firing.set(labels["tenant"] ?? "", onsets);
      }
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Every alert that was told as firing. */
  told(): readonly ToldAlert[] {
    return [...this.#told.values()];
  }

  #note(tenant: string, kind: string, startsAt: string): void {
    const key = `${tenant} ${kind} ${startsAt}`;
    const times = (this.#told.get(key)?.times ?? 0) + 1;
    this.#told.set(key, { tenant, kind, startsAtMs: Date.parse(startsAt), times });
  }

  /** How often each incident of this tenant was told as firing. */
  firing(tenant: string): readonly number[] {
    return [...(this.#firing.get(tenant)?.values() ?? [])];
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
