/** How many bytes of requests are held at once, so that a crowd of exporters costs a known amount of memory. */

export interface InFlightBytes {
  /** Begins one request's share, which is empty. */
  lease(): ByteLease;
  /** Bytes held by all open leases. */
  readonly held: number;
}

/** One request's share. */
export interface ByteLease {
  /** Adds `bytes`; false, and nothing is added, where that would exceed the limit of all. */
  take(bytes: number): boolean;
  /** Bytes that anyone may still take. */
  readonly free: number;
  /** Gives everything back. A second call does nothing. */
  release(): void;
}

export function createInFlightBytes(bytesMax: number): InFlightBytes {
  let held = 0;
  return {
    get held() {
      return held;
    },
    lease() {
      let own = 0;
      return {
        take(bytes) {
          if (held + bytes > bytesMax) return false;
          held += bytes;
          own += bytes;
          return true;
        },
        get free() {
          return bytesMax - held;
        },
        release() {
          held -= own;
          own = 0;
        },
      };
    },
  };
}
