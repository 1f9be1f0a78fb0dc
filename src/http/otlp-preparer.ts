/**
 * Where exports are prepared: small ones on the spot, since handing them over would cost more; large ones in threads of
 * their own, so that no body, however hostile, keeps the event loop from its other work.
 */

import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import { type ExportBody, inflatedBytesMax, type Prepared, type PrepareRules, prepareExport } from "./otlp-prepare.ts";

export type Prepare = (body: ExportBody) => Prepared | Promise<Prepared>;

export interface Preparer {
  readonly prepare: Prepare;
  /** Ends the threads; nothing may be asked any more. */
  close(): Promise<void>;
}

/** Wire bytes that are prepared on the spot, unless they inflate beyond the other limit: some 40 spans, 0.4 ms. */
const spotBytesMax = 16 * 1024;
const spotInflatedBytesMax = 128 * 1024;
/** The largest body of JSON within the limits takes some 400 MB of objects; a body that needs more is refused. */
const threadMegabytesMax = 1024;
/** New objects live for one body: most die before this is full. */
const threadYoungMegabytesMax = 64;
const queueMax = 1024;
const idleMs = 30_000;

/** A preparer with one thread fewer than the machine has cores, at least one. They start with the first large body. */
export function createPreparer(rules: PrepareRules): Preparer {
  const { limits, oldestMs, layout } = rules;
  const pool = new Piscina<ExportBody, Prepared>({
    filename: new URL("./otlp-worker.ts", import.meta.url).href,
    minThreads: 0,
    maxThreads: Math.max(1, availableParallelism() - 1),
    idleTimeout: idleMs,
    maxQueue: queueMax,
    resourceLimits: {
      maxOldGenerationSizeMb: threadMegabytesMax,
      maxYoungGenerationSizeMb: threadYoungMegabytesMax,
    },
    workerData: { limits, oldestMs, layout },
  });
  return {
    prepare: (body) => prepareOnTheSpot(body, rules) ?? prepareAside(body, pool),
    close: () => pool.close({ force: true }),
  };
}

/** Undefined where the body is not small after all. */
function prepareOnTheSpot(body: ExportBody, rules: PrepareRules): Prepared | undefined {
  if (body.bytes.length > spotBytesMax) return undefined;
  const allowed = inflatedBytesMax(body.encoding, rules.limits);
  const inflated = Math.min(allowed, spotInflatedBytesMax);
  const limits = { ...rules.limits, inflatedBytesMax: inflated };
  const prepared = prepareExport(body, { ...rules, limits });
  const outgrown = prepared.kind === "refused" && prepared.status === 413 && inflated < allowed;
  return outgrown ? undefined : prepared;
}

async function prepareAside(body: ExportBody, pool: Piscina<ExportBody, Prepared>): Promise<Prepared> {
  if (pool.queueSize >= queueMax) return { kind: "overloaded" };
  // Bytes that share their memory with others are copied; the body itself is given away.
  const own = body.bytes.byteLength === body.bytes.buffer.byteLength ? body.bytes : new Uint8Array(body.bytes);
  try {
    return await pool.run({ ...body, bytes: own }, { transferList: [own.buffer as ArrayBuffer] });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY")) throw error;
    const message = `the body takes more than ${threadMegabytesMax} MB to decode; lower the batch size of the exporter`;
    return { kind: "refused", status: 413, message, inflatedBytes: 0 };
  }
}
