/** A receiver of alerts that remembers when the first firing one of each tenant came. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { clockUs } from "./process-stats.ts";

export interface Webhook {
  readonly url: string;
  /** By the clock that processes share; undefined while none came. */
  firingAtUs(tenant: string): number | undefined;
  /** Resolves when every tenant's alert came, or the time is over. */
  waitFor(tenants: readonly string[], withinMs: number): Promise<void>;
  stop(): void;
}

interface Posted {
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[];
}

export async function startWebhook(): Promise<Webhook> {
  const arrivals = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const arrivedUs = clockUs();
    const { alerts } = (await json(request)) as Posted;
    response.end();
    for (const { status, labels } of alerts) {
      const tenant = labels["tenant"] ?? "";
      if (status === "firing" && !arrivals.has(tenant)) arrivals.set(tenant, arrivedUs);
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    firingAtUs: (tenant) => arrivals.get(tenant),
    async waitFor(tenants, withinMs) {
      const deadline = Date.now() + withinMs;
      while (Date.now() < deadline && !tenants.every((tenant) => arrivals.has(tenant)))
        await new Promise((resolve) => setTimeout(resolve, 20));
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
