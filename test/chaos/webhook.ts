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

export class Webhook {
  readonly #server: Server;
  /** By tenant: the times of onset that were told as firing, each with how often. */
  readonly #firing = new Map<string, Map<string, number>>();

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
        this.#firing.set(labels["tenant"] ?? "", onsets);
      }
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
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
