/**
 * Spend incidents in a cluster under attack, each of its own tenant: calm minutes of all of them before the campaign, then
 * one in the middle of each fault that may disturb alerts. Each must be told once, since when it began; and at the end the
 * same as one process tells that reads the same records and never stopped.
 */

import type { Random } from "../../src/ingest/otlp-random.ts";
import { postUntilAcked } from "../support/load.ts";
import { type ChaosSpan, chaosSpan, requestOf } from "./chaos-span.ts";
import type { Ledger } from "./ledger.ts";
import type { ToldAlert, Webhook } from "./webhook.ts";

/** Smallest excess that is told: the calls of real traces cost thousands of dollars a minute. */
export const clusterExcessUsdPerMinuteMin = 20_000;
/** How far onsets may lie apart, as `src/detection/stages.test.ts` states it for topologies that differ. */
export const onsetToleranceMs = 120_000;

export const incidentKind = "spend_above_baseline";

const calmMinutes = 30;
const minuteMs = 60_000;
/** One dollar, and five hundred, at $2.50 per million tokens. */
const [calmTokens, hugeTokens] = [400_000, 200_000_000];
/** $500,000 within a minute: what comes of it through one partition in time is an incident by itself. */
const hugeCalls = 1000;
const toldWithinMs = 90_000;

interface Sent {
  readonly atMs: number;
  /** Kills and faults since it was sent: each may cost one repeat. */
  disturbances: number;
}

export interface IncidentOptions {
  readonly ledger: Ledger;
  readonly webhook: Webhook;
  readonly random: Random;
  /** How many incidents there may be. */
  readonly count: number;
}

export class ClusterIncidents {
  readonly #options: IncidentOptions;
  readonly #sent = new Map<string, Sent>();
  #sending: Promise<unknown> = Promise.resolve();

  constructor(options: IncidentOptions) {
    this.#options = options;
  }

  count(): number {
    return this.#sent.size;
  }

  /** What is usual of every tenant, oldest minute first; before anything else is sent. */
  async calm(tracesUrl: string): Promise<void> {
    const nowMs = Date.now();
    const tenants = Array.from({ length: this.#options.count }, (_, index) => tenantOf(index));
    for (let minute = calmMinutes; minute > 0; minute--)
      await this.#send(
        tracesUrl,
        tenants.map((tenant) => this.#call(tenant, nowMs - minute * minuteMs, calmTokens)),
      );
  }

  /** Lets the next incident begin, and does not wait for it. */
  begin(tracesUrl: string): void {
    const tenant = tenantOf(this.#sent.size);
    const atMs = Date.now();
    this.#sent.set(tenant, { atMs, disturbances: 0 });
    const calls = Array.from({ length: hugeCalls }, () => this.#call(tenant, atMs, hugeTokens));
    this.#sending = Promise.all([this.#sending, this.#send(tracesUrl, calls)]);
    this.#sending.catch(() => undefined);
  }

  disturbed(): void {
    for (const sent of this.#sent.values()) sent.disturbances++;
  }

  /** Resolves when every incident's calls are acknowledged. */
  async acknowledged(): Promise<void> {
    await this.#sending;
  }

  /** What is wrong with what the webhook heard, one line for each incident; waits for what is on its way. */
  async faults(): Promise<readonly string[]> {
    const deadline = performance.now() + toldWithinMs;
    while (this.#silent().length > 0 && performance.now() < deadline) await sleep(200);
    return [...this.#sent].flatMap(([tenant, sent]) => {
      const told = this.#told(tenant);
      const [one] = told;
      if (one === undefined) return [`${tenant}: never told`];
      if (told.length > 1) return [`${tenant}: told as ${told.length} incidents`];
      if (Math.abs(one.startsAtMs - sent.atMs) > onsetToleranceMs)
        return [`${tenant}: told since ${iso(one.startsAtMs)}, began ${iso(sent.atMs)}`];
      return one.times > 1 + sent.disturbances ? [`${tenant}: told ${one.times} times`] : [];
    });
  }

  /** The same, against what one process says that was never disturbed. */
  differences(undisturbed: readonly Omit<ToldAlert, "times">[]): readonly string[] {
    return [...this.#sent.keys()].flatMap((tenant) => {
      const told = this.#told(tenant).map(({ startsAtMs }) => startsAtMs);
      const due = undisturbed.filter((one) => one.tenant === tenant).map(({ startsAtMs }) => startsAtMs);
      const same =
        told.length === due.length &&
        due.every((startsAtMs) => told.some((other) => Math.abs(other - startsAtMs) <= onsetToleranceMs));
      return same ? [] : [`${tenant}: told since [${told.map(iso)}], by one process since [${due.map(iso)}]`];
    });
  }

  #silent(): readonly string[] {
    return [...this.#sent.keys()].filter((tenant) => this.#told(tenant).length === 0);
  }

  #told(tenant: string): readonly ToldAlert[] {
    return this.#options.webhook.told().filter((one) => one.tenant === tenant && one.kind === incidentKind);
  }

  #call(tenant: string, atMs: number, input: number): ChaosSpan {
    const { random } = this.#options;
    return chaosSpan({ producer: "", sequence: 0, tenant, feature: "incident", atMs, input, output: 1 }, random);
  }

  async #send(tracesUrl: string, spans: readonly ChaosSpan[]): Promise<void> {
    const { ledger } = this.#options;
    ledger.sent(spans);
    await postUntilAcked(tracesUrl, requestOf(spans));
    ledger.acked(spans);
  }
}

function tenantOf(index: number): string {
  return `incident-${index}`;
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
