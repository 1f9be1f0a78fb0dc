/**
 * What all copies of this package in one process share: an application may load it as ESM through `--import`, as
 * CommonJS through `require` and once more inside a bundle. The first copy makes it, the others find it.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Attribution } from "./attribution.ts";
import type { Call } from "./call.ts";
import type { Pipeline } from "./delivery/pipeline.ts";
import { type KeyedHash, keyedHash } from "./keyed-hash.ts";
import { readSettings, type Settings } from "./settings.ts";

export interface Runtime {
  readonly settings: Settings;
  /** Under the deployment's key. */
  readonly hash: KeyedHash;
  readonly attributions: AsyncLocalStorage<Attribution>;
  /** Set while an intercepted call is on its way: a lower layer that sees it too must not count it again. */
  readonly insideCall: AsyncLocalStorage<true>;
  /** Calls that have not ended; at most `callsInFlightMax`, the oldest are ended as cut off. */
  readonly callsInFlight: Set<Call>;
  /** Hosts that refused `stream_options`; at most 1,024. */
  readonly refusingHosts: Set<string>;
  readonly counters: {
    calls: number;
    /** Faults of this package, caught before they could reach the application. */
    faults: number;
  };
  /** Set by `register`. Without it calls pass unobserved. */
  pipeline: Pipeline | undefined;
}

const runtimeKey = Symbol.for("burnwatch.instrumentation.1");

/** The shared state of this process, made on first use. */
export function getRuntime(): Runtime {
  const holder = globalThis as unknown as Record<symbol, Runtime | undefined>;
  const known = holder[runtimeKey];
  if (known !== undefined) return known;
  const settings = readSettings(process.env, process.cwd());
  const runtime: Runtime = {
    settings,
    hash: keyedHash(settings.hashKey),
    attributions: new AsyncLocalStorage(),
    insideCall: new AsyncLocalStorage(),
    callsInFlight: new Set(),
    refusingHosts: new Set(),
    counters: { calls: 0, faults: 0 },
    pipeline: undefined,
  };
  holder[runtimeKey] = runtime;
  return runtime;
}
