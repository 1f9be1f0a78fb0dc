/** One call of a model while it lasts: from the request leaving the application to the last byte of the answer. */

import type { ActiveSpan } from "./ambient.ts";
import type { Attribution } from "./attribution.ts";
import type { Target, WireClient } from "./clients/client.ts";
import type { CallFacts } from "./clients/facts.ts";
import type { JsonObject } from "./clients/json.ts";

/** Numbers about the prompt; see `prompt-prefix.ts`. */
export interface PromptFacts {
  readonly stablePrefixCharacters: number | undefined;
  readonly prefixHash: string | undefined;
}

/** A finished call, ready to become a span. */
export interface CallRecord {
  readonly facts: CallFacts;
  readonly target: Target;
  readonly attribution: Attribution;
  readonly parent: ActiveSpan | null;
  readonly prompt: PromptFacts | null;
  /** See `prompt-hash.ts`; undefined where the request was not read. */
  readonly promptHash: string | undefined;
  /** Milliseconds since the epoch, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  /** Seconds from the request to the first chunk that carried output; undefined without a stream. */
  readonly firstChunkSeconds: number | undefined;
  /** 1 for the first attempt; undefined where the client does not say. */
  readonly attempt: number | undefined;
  /** HTTP status, undefined where none arrived. */
  readonly status: number | undefined;
  /** Class of what went wrong, e.g. `429`, `AbortError`, `ECONNREFUSED`. Never a message. */
  readonly errorType: string | undefined;
  /** True when the answer was cut off before the provider said that it was whole. */
  readonly partial: boolean;
}

export interface CallStart {
  readonly client: WireClient;
  readonly target: Target;
  readonly facts: CallFacts;
  readonly attribution: Attribution;
  readonly parent: ActiveSpan | null;
  readonly prompt: PromptFacts | null;
  readonly promptHash: string | undefined;
  readonly attempt: number | undefined;
  readonly injectedUsage: boolean;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly nowMs: () => number;
  /** Counts a fault of this package. */
  readonly fault: () => void;
  /** Takes the record when the call ends; called once. */
  readonly ended: (record: CallRecord, call: Call) => void;
}

export interface Call {
  readonly facts: CallFacts;
  /** True while usage is asked for on the application's behalf; false again once a host refused it. */
  injectedUsage: boolean;
  /** Milliseconds since the epoch of the last sign of life. */
  readonly lastActiveMs: number;
  readEvent(event: JsonObject): void;
  readResponse(body: JsonObject): void;
  /** Runs work whose fault must not reach the application; counts it. */
  guarded(work: () => void): void;
  /** The first to claim the answer's body observes it; clones of it are only passed on. */
  claimBody(): boolean;
  /** The HTTP status, as soon as it is known. */
  answered(status: number): void;
  /** Ends the call; later ends are ignored. */
  end(): void;
  /** Ends the call after an error or an abort. */
  fail(error: unknown): void;
}

/** Begins a call now. Nothing of it throws later on: it runs inside the application's own reads. */
export function startCall(start: CallStart): Call {
  const { facts, client, nowMs, startMs } = start;
  let lastActiveMs = startMs;
  let firstChunkMs: number | undefined;
  let status: number | undefined;
  let claimed = false;
  let ended = false;
  const guarded = (work: () => void) => {
    try {
      work();
    } catch {
      start.fault();
    }
  };
  const finish = (errorType: string | undefined) => {
    if (ended) return;
    ended = true;
    // Usage that follows a finish reason is final, even if the application stops reading before `[DONE]`.
    const whole = facts.finished || (facts.tokens !== null && facts.finishReasons.length > 0);
    const failed = errorType !== undefined || (status !== undefined && status >= 400);
    const record: CallRecord = {
      facts,
      target: start.target,
      attribution: start.attribution,
      parent: start.parent,
      prompt: start.prompt,
      promptHash: start.promptHash,
      startMs,
      endMs: nowMs(),
      firstChunkSeconds: firstChunkMs === undefined ? undefined : (firstChunkMs - startMs) / 1000,
      attempt: start.attempt,
      status,
      errorType: errorType ?? (failed ? String(status) : undefined),
      partial: status !== undefined && status < 400 && !whole,
    };
    guarded(() => start.ended(record, call));
  };
  const call: Call = {
    facts,
    injectedUsage: start.injectedUsage,
    get lastActiveMs() {
      return lastActiveMs;
    },
    readEvent(event) {
      lastActiveMs = nowMs();
      guarded(() => {
        if (client.readEvent(event, facts)) {
          facts.outputChunks += 1;
          firstChunkMs ??= lastActiveMs;
        }
        // A native span ends when the application reads this event, and must be annotated before.
        if (facts.finished && client.finishesStream === true) call.end();
      });
    },
    readResponse: (body) => guarded(() => client.readResponse(body, facts)),
    guarded,
    claimBody() {
      if (claimed) return false;
      claimed = true;
      return true;
    },
    answered(code) {
      status = code;
    },
    end: () => finish(undefined),
    fail: (error) => finish(errorClass(error)),
  };
  return call;
}

const classPattern = /^[A-Za-z_$][\w$.]{0,63}$/;

/** The code of a system error, else the name of its class; its message may hold a prompt and is not read. */
export function errorClass(error: unknown): string {
  if (typeof error !== "object" || error === null) return "Error";
  const { cause, code, name } = error as { cause?: unknown; code?: unknown; name?: unknown };
  const causeCode = typeof cause === "object" && cause !== null ? (cause as { code?: unknown }).code : undefined;
  for (const candidate of [causeCode, code, name]) {
    if (typeof candidate === "string" && classPattern.test(candidate)) return candidate;
  }
  return "Error";
}
