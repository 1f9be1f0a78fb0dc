/** Which try of one request a call is. Clients of OpenAI and Anthropic say it in a header; others are recognised. */

import type { CallRecord } from "./call.ts";

export interface Attempts {
  /** 1 for a first try; undefined where neither header nor memory can say. */
  begin(body: string | undefined, retryHeader: string | undefined): number | undefined;
  /** Remembers a failed try of this body; forgets it after a success. */
  ended(body: string | undefined, record: CallRecord): void;
}

const remembered = 1024;
const forgetAfterMs = 120_000;

/** Remembers up to 1,024 failed bodies, by a 32-bit hash and their length, for two minutes. */
export function countAttempts(): Attempts {
  const failures = new Map<string, { count: number; atMs: number }>();
  return {
    begin(body, retryHeader) {
      if (retryHeader !== undefined && /^\d{1,3}$/.test(retryHeader)) return Number(retryHeader) + 1;
      if (body === undefined || failures.size === 0) return 1;
      const before = failures.get(keyOf(body));
      return before !== undefined && performance.now() - before.atMs < forgetAfterMs ? before.count + 1 : 1;
    },
    ended(body, record) {
      if (body === undefined) return;
      const retryable = record.errorType !== undefined && (record.status === undefined || isRetryable(record.status));
      if (!retryable) {
        if (failures.size > 0) failures.delete(keyOf(body));
        return;
      }
      if (failures.size >= remembered) {
        for (const oldest of failures.keys()) {
          failures.delete(oldest);
          break;
        }
      }
      failures.set(keyOf(body), { count: record.attempt ?? 1, atMs: performance.now() });
    },
  };
}

function isRetryable(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

function keyOf(body: string): string {
  let hash = 0x811c9dc5;
  const step = Math.max(1, Math.floor(body.length / 4096));
  for (let at = 0; at < body.length; at += step) hash = Math.imul(hash ^ body.charCodeAt(at), 0x01000193);
  return `${hash}:${body.length}`;
}
