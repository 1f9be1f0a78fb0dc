/** Exporters as the field has them: they repeat until acknowledged, repeat what was acknowledged, and sometimes give up. */

import { type Random, seededRandom } from "../../src/ingest/otlp-random.ts";
import { type ChaosSpan, chaosSpan, requestOf, type SpanOptions, unknownModel, wrappersOf } from "./chaos-span.ts";
import type { Ledger } from "./ledger.ts";
import { VictimError } from "./victim.ts";

export interface FleetOptions {
  readonly ledger: Ledger;
  readonly tracesUrl: string;
  readonly seed: number;
  readonly exporters: number;
  /** Milliseconds between requests of one exporter, at most. */
  readonly pauseMsMax?: number;
  /** Spans of one request, at most. */
  readonly spansMax?: number;
  /** What a call takes, by a recorded trace for example; by default little. */
  readonly tokens?: (random: Random) => Pick<SpanOptions, "model" | "input" | "cached" | "output">;
  /** However long the server was down, once it is up; a minute by default. */
  readonly ackedWithinMs?: number;
}

const retryMs = 25;
const answerWithinMs = 10_000;
const remembered = 3000;
const [minuteMs, dayMs] = [60_000, 86_400_000];

/** A request that no retry can help. */
class RefusedError extends Error {
  override name = "RefusedError";
}

export class Fleet {
  readonly #options: Required<FleetOptions>;
  readonly #stopping = new AbortController();
  /** Spans of any time that were acknowledged, to be sent again one day. */
  readonly #old: ChaosSpan[] = [];
  #running: Promise<unknown> | undefined;
  #gate: Promise<void> | null = null;
  #open: () => void = () => undefined;
  #busy = 0;
  #requests = 0;
  #repeats = 0;
  #abandoned = false;

  constructor(options: FleetOptions) {
    this.#options = { pauseMsMax: 30, spansMax: 40, tokens: fewTokens, ackedWithinMs: 60_000, ...options };
  }

  start(): void {
    const { exporters, seed } = this.#options;
    const run = (_: unknown, index: number) => this.#export(`exporter-${seed}-${index}`, seededRandom(seed + index));
    this.#running = Promise.all(Array.from({ length: exporters }, run));
    this.#running.catch(() => undefined);
  }

  /**
   * Resolves when every request at hand is acknowledged; none follows until `resume`. The server must be running.
   * @throws VictimError when it acknowledges nothing any more.
   */
  async pause(): Promise<void> {
    const { ackedWithinMs } = this.#options;
    this.#gate ??= new Promise((open) => {
      this.#open = open;
    });
    const deadline = performance.now() + ackedWithinMs;
    while (this.#busy > 0) {
      if (performance.now() > deadline)
        throw new VictimError(`${this.#busy} exporters wait for an answer for ${ackedWithinMs / 1000} s`);
      await Promise.race([this.#running, sleep(5)]);
    }
  }

  resume(): void {
    this.#gate = null;
    this.#open();
  }

  /** The same, for ever. @throws Error when an exporter got an answer that no retry can help. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.resume();
    await this.#running;
  }

  /** Ends without waiting for what is not acknowledged: nobody will do so any more. */
  abandon(): void {
    this.#abandoned = true;
    this.#stopping.abort();
    this.resume();
  }

  counts(): { readonly requests: number; readonly repeats: number } {
    return { requests: this.#requests, repeats: this.#repeats };
  }

  async #export(producer: string, random: Random): Promise<void> {
    const { ledger, pauseMsMax } = this.#options;
    let sequence = 0;
    while (!this.#stopping.signal.aborted) {
      await this.#gate;
      this.#busy++;
      try {
        if (random(20) === 0) await this.#giveUp(random);
        const fresh = this.#spans(producer, sequence, random);
        sequence += fresh.length;
        const again = random(6) === 0 ? this.#anyOld(random) : [];
        const body = requestOf([...fresh, ...again]);
        ledger.sent(fresh);
        // Wrappers may come before what they wrap: held until then, through any kill.
        if (random(3) === 0) await this.#untilAcked(wrappersOf(fresh));
        await this.#untilAcked(body);
        ledger.acked(fresh);
        this.#remember(fresh, random);
        // As after a lost acknowledgement.
        if (random(8) === 0) await this.#untilAcked(body);
        this.#repeats += again.length;
      } finally {
        this.#busy--;
      }
      await sleep(random(pauseMsMax + 1));
    }
  }

  /** A request that is cut off after a moment and never sent again. Its spans are not numbered: nobody waits for them. */
  async #giveUp(random: Random): Promise<void> {
    const spans = this.#spans("", -1, random);
    this.#options.ledger.sent(spans);
    await this.#post(requestOf(spans), 1 + random(12)).catch(() => undefined);
  }

  async #untilAcked(body: string): Promise<void> {
    for (;;) {
      if (this.#abandoned) throw new RefusedError("abandoned");
      this.#requests++;
      try {
        if (await this.#post(body, answerWithinMs)) return;
      } catch (error) {
        if (error instanceof RefusedError) throw error;
      }
      await sleep(retryMs);
    }
  }

  /** True when it was acknowledged, false when it shall be sent again. */
  async #post(body: string, withinMs: number): Promise<boolean> {
    const headers = { "content-type": "application/json" };
    const signal = AbortSignal.timeout(withinMs);
    const answer = await fetch(this.#options.tracesUrl, { method: "POST", headers, body, signal });
    const text = await answer.text();
    if (answer.status === 429 || answer.status >= 500) return false;
    if (!answer.ok || text.includes("rejectedSpans")) throw new RefusedError(`${answer.status} ${text}`);
    return true;
  }

  #spans(producer: string, sequence: number, random: Random): ChaosSpan[] {
    return Array.from({ length: 1 + random(this.#options.spansMax) }, (_, index) =>
      chaosSpan(
        {
          producer,
          sequence: sequence < 0 ? 0 : sequence + index + 1,
          tenant: `tenant-${random(4)}`,
          feature: `feature-${random(7)}`,
          atMs: Date.now() - ago(random),
          ...this.#options.tokens(random),
          ...(random(25) === 0 ? { model: unknownModel } : {}),
          wrapped: random(6) === 0,
        },
        random,
      ),
    );
  }

  #remember(spans: readonly ChaosSpan[], random: Random): void {
    for (const span of spans) {
      if (this.#old.length < remembered) this.#old.push(span);
      else if (random(10) === 0) this.#old[random(remembered)] = span;
    }
  }

  #anyOld(random: Random): ChaosSpan[] {
    if (this.#old.length === 0) return [];
    return Array.from({ length: 1 + random(20) }, () => this.#old[random(this.#old.length)]).filter(
      (span) => span !== undefined,
    );
  }
}

function fewTokens(random: Random) {
  return { input: 1 + random(400), output: 1 + random(40) };
}

/** Most calls are of now, some of the last hours, a few of the days before: several partitions in one batch. */
function ago(random: Random): number {
  const kind = random(10);
  if (kind < 7) return random(minuteMs);
  return kind < 9 ? random(120 * minuteMs) : random(6 * dayMs);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
