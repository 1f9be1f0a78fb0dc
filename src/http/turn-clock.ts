/**
 * How long the main thread works without letting anybody else have a turn, in its own CPU time: what the event loop's
 * delay would be if a core were always free. Where the delay is long and this is short, cores are missing.
 */

const sampleEveryMs = 5;

export class TurnClock {
  readonly #timer: NodeJS.Timeout;
  #used = used();
  #longestUs = 0;

  constructor() {
    // It comes late by the turn that it waits for, and by then that turn's time is spent.
    this.#timer = setInterval(() => this.#sample(), sampleEveryMs).unref();
  }

  /** Seconds of the longest turn since it was asked last, at most 5 ms too many. */
  longestSeconds(): number {
    this.#sample();
    const longest = this.#longestUs / 1e6;
    this.#longestUs = 0;
    return longest;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const now = used();
    this.#longestUs = Math.max(this.#longestUs, now - this.#used);
    this.#used = now;
  }
}

/** Microseconds of CPU of this thread. */
function used(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
