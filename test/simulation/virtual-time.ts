/**
 * Time that passes only when nothing is left to do: timers, signals and clocks of this process are replaced, so that a day
 * takes as long as its work. What a simulated process starts is its own: its clock may be wrong, and once it is dead
 * nothing of it goes on.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire, syncBuiltinESMExports } from "node:module";

/** Whose code runs. */
export interface TimeOwner {
  /** Its wall clock is so much ahead. */
  readonly clockAheadMs: number;
  readonly dead: boolean;
}

interface Timer {
  readonly id: number;
  readonly atMs: number;
  readonly run: () => void;
  readonly owner: TimeOwner | undefined;
  cancelled: boolean;
}

const owners = new AsyncLocalStorage<TimeOwner>();
const require = createRequire(import.meta.url);
const realImmediate = setImmediate;

export class VirtualTime {
  /** Unix milliseconds, as it really is. */
  nowMs: number;
  readonly #startMs: number;
  /** A heap: the next one first, of equals the elder. */
  readonly #timers: Timer[] = [];
  #ids = 0;
  #immediates = 0;
  #turns = 0;

  private constructor(startMs: number) {
    this.nowMs = startMs;
    this.#startMs = startMs;
  }

  /** Replaces the process's time, for good. */
  static install(startMs: number): VirtualTime {
    const time = new VirtualTime(startMs);
    const set = (run: (...words: unknown[]) => void, ms = 0, ...words: unknown[]) =>
      time.#handle(time.#add(ms, () => run(...words)));
    const clear = (handle: unknown) => {
      if (typeof handle === "object" && handle !== null && "timer" in handle) (handle.timer as Timer).cancelled = true;
    };
    Object.assign(globalThis, {
      setTimeout: set,
      clearTimeout: clear,
      setImmediate: (run: (...words: unknown[]) => void, ...words: unknown[]) => {
        time.#immediates++;
        return realImmediate(() => {
          time.#immediates--;
          run(...words);
        });
      },
    });
    AbortSignal.timeout = (ms) => {
      const controller = new AbortController();
      set(() => controller.abort(new DOMException("timed out", "TimeoutError")), ms);
      return controller.signal;
    };
    Date.now = () => Math.floor(time.nowMs + (owners.getStore()?.clockAheadMs ?? 0));
    performance.now = () => time.nowMs - time.#startMs;
    const promises = require("node:timers/promises") as { setTimeout: unknown };
    promises.setTimeout = (ms: number, value?: unknown, options?: { readonly signal?: AbortSignal }) =>
      new Promise((resolve, reject) => {
        set(() => resolve(value), ms);
        options?.signal?.addEventListener("abort", () => reject(options.signal?.reason), { once: true });
      });
    syncBuiltinESMExports();
    return time;
  }

  /** Runs what belongs to a process, or to nobody. */
  as<Result>(owner: TimeOwner | null, work: () => Result): Result {
    return owner === null ? owners.exit(work) : owners.run(owner, work);
  }

  /** Lets time pass until `done` resolves. @throws Error when that would take longer, or when nothing is left that could. */
  async until(done: Promise<unknown>, withinMs: number): Promise<void> {
    let ended = false;
    const failure: { error?: unknown } = {};
    done.then(
      () => {
        ended = true;
      },
      (error: unknown) => {
        ended = true;
        failure.error = error;
      },
    );
    const deadlineMs = this.nowMs + withinMs;
    for (;;) {
      do await this.#turn();
      while (this.#immediates > 0);
      if (ended) break;
      const next = this.#take();
      if (next === undefined) throw new Error("nothing is left to do, and it is not done");
      if (next.atMs > deadlineMs) throw new Error(`not done within ${withinMs / 1000} s`);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      if (next.owner === undefined) next.run();
      else owners.run(next.owner, next.run);
    }
    if ("error" in failure) throw failure.error;
  }

  /** Resolves when everything that can run by now has run. */
  #turn(): Promise<void> {
    // Ticks come when no promise has anything left to do; the rest of the process gets its turn now and then.
    if (this.#immediates === 0 && ++this.#turns % 4096 !== 0) return new Promise((turn) => process.nextTick(turn));
    return new Promise((turn) => void realImmediate(turn));
  }

  #add(ms: number, run: () => void): Timer {
    const owner = owners.getStore();
    const timer = { id: ++this.#ids, atMs: this.nowMs + Math.max(0, ms), run, owner, cancelled: false };
    this.#timers.push(timer);
    this.#up(this.#timers.length - 1);
    return timer;
  }

  #handle(timer: Timer) {
    const handle = { timer, unref: () => handle, ref: () => handle, hasRef: () => true };
    return handle;
  }

  #take(): Timer | undefined {
    for (;;) {
      const [first] = this.#timers;
      const last = this.#timers.pop();
      if (first === undefined || last === undefined) return undefined;
      if (first !== last) {
        this.#timers[0] = last;
        this.#down(0);
      }
      if (!first.cancelled && first.owner?.dead !== true) return first;
    }
  }

  #up(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #down(from: number): void {
    for (let at = from; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      if (left < this.#timers.length && this.#before(left, least)) least = left;
      if (right < this.#timers.length && this.#before(right, least)) least = right;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #before(a: number, b: number): boolean {
    const [one, other] = [this.#timers[a], this.#timers[b]];
    if (one === undefined || other === undefined) return false;
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.id < other.id);
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#timers[a], this.#timers[b]];
    if (one === undefined || other === undefined) return;
    [this.#timers[a], this.#timers[b]] = [other, one];
  }
}
