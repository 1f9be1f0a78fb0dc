/** Finished calls on their way to the collector: numbered, queued within a bound, sent in batches, sent again. */

import { randomBytes } from "node:crypto";
import type { SpanIds } from "../ambient.ts";
import { completenessKeys, finalMarkSpanName, recordKeys } from "../protocol.ts";
import type { SpanAttributes } from "../span-attributes.ts";

/** A span before it is one. */
export interface SpanDraft {
  readonly name: string;
  readonly kind: "client" | "internal";
  readonly startMs: number;
  readonly endMs: number;
  /** A function is asked when the span is sent, so that the call itself does not wait for it. */
  readonly attributes: SpanAttributes | (() => SpanAttributes);
  readonly failed: boolean;
  readonly parent: SpanIds | undefined;
  /** Set to write under the identity of another span: the collector then keeps one of the two. */
  readonly identity: SpanIds | undefined;
}

/** A draft as it is sent: with its attributes, its number and its ids. */
export interface ReadyDraft extends SpanDraft {
  readonly attributes: SpanAttributes;
  readonly identity: SpanIds;
}

/** Turns drafts into spans and sends them. Resolves when the collector has acknowledged; rejects otherwise. */
export interface Transport<Batch> {
  prepare(drafts: readonly ReadyDraft[]): Batch;
  send(batch: Batch): Promise<void>;
}

export interface PipelineOptions<Batch> {
  /** Loads the OpenTelemetry SDK on first need, not while the application starts. */
  readonly load: () => Promise<Transport<Batch>>;
  readonly nowMs: () => number;
  /** One line for the application's operator. */
  readonly log: (line: string) => void;
}

export interface Pipeline {
  /** Numbers the record and queues it. Beyond 8,192 waiting records it is dropped and counted. Never throws. */
  record(draft: SpanDraft): void;
  /** Queues a span that is no record: unnumbered. */
  note(draft: SpanDraft): void;
  /** Sends all that waits. True when everything was acknowledged in time. */
  flush(timeoutMs: number): Promise<boolean>;
  /** Queues the final mark, once per number of records. */
  markFinal(): void;
  /** Takes out what is not acknowledged, to be sent another way. Empty while the collector does not answer. */
  takeUnsent(): readonly ReadyDraft[];
  readonly stats: {
    readonly recorded: number;
    readonly delivered: number;
    readonly dropped: number;
    readonly waiting: number;
  };
}

const waitingMax = 8192;
const batchMax = 512;
const sendEveryMs = 1000;
const backoffMaxMs = 30_000;

/** A pipeline that has loaded nothing yet. */
export function openPipeline<Batch>(options: PipelineOptions<Batch>): Pipeline {
  return new BatchPipeline(options);
}

class BatchPipeline<Batch> implements Pipeline {
  readonly #options: PipelineOptions<Batch>;
  readonly #waiting: Waiting[] = [];
  #transport: Transport<Batch> | undefined;
  /** A batch that was not acknowledged. The same spans go again: the collector knows them by their ids. */
  #unsent: { batch: Batch; drafts: readonly ReadyDraft[] } | undefined;
  #sending: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sequence = 0;
  #marked = 0;
  #delivered = 0;
  #dropped = 0;
  #failures = 0;

  constructor(options: PipelineOptions<Batch>) {
    this.#options = options;
  }

  get stats() {
    const waiting = this.#waiting.length + (this.#unsent?.drafts.length ?? 0);
    return { recorded: this.#sequence, delivered: this.#delivered, dropped: this.#dropped, waiting };
  }

  record(draft: SpanDraft): void {
    this.#sequence += 1;
    this.#enqueue({ draft, sequence: this.#sequence });
  }

  note(draft: SpanDraft): void {
    this.#enqueue({ draft, sequence: undefined });
  }

  #enqueue(entry: Waiting): void {
    if (this.#waiting.length >= waitingMax) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(entry);
    if (this.#waiting.length >= batchMax && this.#failures === 0 && this.#sending === undefined) void this.#sendOne();
    else this.#schedule();
  }

  markFinal(): void {
    if (this.#marked === this.#sequence) return;
    this.#marked = this.#sequence;
    const nowMs = this.#options.nowMs();
    const attributes: SpanAttributes = { [completenessKeys.finalSequence]: this.#sequence };
    if (this.#dropped > 0) attributes[recordKeys.dropped] = this.#dropped;
    this.note({
      name: finalMarkSpanName,
      kind: "internal",
      startMs: nowMs,
      endMs: nowMs,
      attributes,
      failed: false,
      parent: undefined,
      identity: undefined,
    });
  }

  takeUnsent(): readonly ReadyDraft[] {
    if (this.#failures > 0) return [];
    const drafts = [...(this.#unsent?.drafts ?? []), ...this.#waiting.splice(0).map(readyDraft)];
    this.#unsent = undefined;
    return drafts;
  }

  flush(timeoutMs: number): Promise<boolean> {
    let giveUp: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      giveUp = setTimeout(() => resolve(false), timeoutMs);
    });
    return Promise.race([this.#sendAll(this.#options.nowMs() + timeoutMs), late]).finally(() => clearTimeout(giveUp));
  }

  async #sendAll(deadlineMs: number): Promise<boolean> {
    while (this.stats.waiting > 0 || this.#sending !== undefined) {
      if (!(await this.#sendOne()) || this.#options.nowMs() >= deadlineMs) return this.stats.waiting === 0;
    }
    return true;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.stats.waiting === 0) return;
    const backoffMs = sendEveryMs * 2 ** Math.max(0, this.#failures - 1);
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        void this.#sendOne();
      },
      Math.min(backoffMaxMs, backoffMs),
    );
    // Waiting records never keep a process alive; the flush at exit takes them.
    this.#timer.unref();
  }

  #sendOne(): Promise<boolean> {
    this.#sending ??= this.#trySend().finally(() => {
      this.#sending = undefined;
      this.#schedule();
    });
    return this.#sending;
  }

  async #trySend(): Promise<boolean> {
    try {
      this.#transport ??= await this.#options.load();
      if (this.#unsent === undefined) {
        const drafts = this.#waiting.splice(0, batchMax).map(readyDraft);
        if (drafts.length === 0) return true;
        this.#unsent = { batch: this.#transport.prepare(drafts), drafts };
      }
      const { batch } = this.#unsent;
      await this.#transport.send(batch);
      // Taken out in the meantime by the end of the process.
      if (this.#unsent?.batch !== batch) return true;
      this.#delivered += this.#unsent.drafts.length;
      this.#unsent = undefined;
      if (this.#failures > 0) this.#options.log(`collector reachable again, ${this.#dropped} records dropped so far`);
      this.#failures = 0;
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  #failed(error: unknown): void {
    if (isRefusal(error) && this.#unsent !== undefined) {
      this.#dropped += this.#unsent.drafts.length;
      this.#unsent = undefined;
    }
    this.#failures += 1;
    if (this.#failures > 1) return;
    this.#options.log(`collector not reachable (${codeOf(error)}): keeping up to ${waitingMax} records`);
  }
}

interface Waiting {
  readonly draft: SpanDraft;
  readonly sequence: number | undefined;
}

/** Its ids are drawn before the first sending and stay. */
function readyDraft({ draft, sequence }: Waiting): ReadyDraft {
  const attributes = typeof draft.attributes === "function" ? draft.attributes() : draft.attributes;
  if (sequence !== undefined) attributes[completenessKeys.sequence] = sequence;
  return { ...draft, attributes, identity: draft.identity ?? newIdentity(draft.parent) };
}

function newIdentity(parent: SpanIds | undefined): SpanIds {
  return { traceId: parent?.traceId ?? randomHex(16), spanId: randomHex(8), traceFlags: 1 };
}

let pool = randomBytes(6144);
let poolAt = 0;

/** Random bytes in hex, out of a pool: one system call for hundreds of ids. */
function randomHex(bytes: number): string {
  if (poolAt + bytes > pool.length) {
    pool = randomBytes(6144);
    poolAt = 0;
  }
  poolAt += bytes;
  return pool.toString("hex", poolAt - bytes, poolAt);
}

/** A refusal that would be repeated for ever: malformed or too large. Missing rights may be granted, so they wait. */
function isRefusal(error: unknown): boolean {
  const code = codeOf(error);
  return code === "400" || code === "413" || code === "422";
}

function codeOf(error: unknown): string {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" || typeof code === "number" ? String(code) : "no answer";
}
