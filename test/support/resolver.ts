/** A resolver between two real logs in a temporary directory, on a clock that the test sets. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskSpace } from "../../src/event-log/disk-space.ts";
import { LmdbLog } from "../../src/event-log/lmdb-log.ts";
import { LmdbUsageLog } from "../../src/event-log/lmdb-usage-log.ts";
import { identityKey } from "../../src/event-log/usage-log.ts";
import { Acceptor, appendsTo } from "../../src/ingest/accept.ts";
import { encodeExport } from "../../src/ingest/encoded-export.ts";
import { FreshEntries } from "../../src/ingest/fresh-entries.ts";
import type { HeldLimits } from "../../src/ingest/held-traces.ts";
import { type ResolvedStep, Resolver } from "../../src/ingest/resolver.ts";
import type { UsageEntry } from "../../src/ingest/usage-codec.ts";
import type { Span } from "../../src/model/span.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import { PriceBook } from "../../src/pricing/price-book.ts";

const dayMs = 86_400_000;

export interface ResolverRig {
  /** Unix milliseconds; the test moves it. */
  clockMs: number;
  /** Everything that ever left the resolver: what a table that was written at once would hold. */
  readonly table: UsageRecord[];
  readonly steps: ResolvedStep[];
  usage(): LmdbUsageLog;
  /** As the resolver's own. */
  between: Resolver["between"];
  /** Sends spans as one export and waits until they are resolved. */
  send(...spans: readonly Span[]): Promise<void>;
  /** Lets half a minute pass, and waits until every trace that waited to be quiet is decided. */
  quiet(): Promise<void>;
  /** Closes everything and opens it again. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** @param heldLimits smaller bounds than a server has, so that a test can reach them. */
export function openResolverRig(startMs: number, heldLimits?: HeldLimits): ResolverRig {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-resolver-"));
  const table: UsageRecord[] = [];
  const steps: ResolvedStep[] = [];
  let sent = 0;
  const rig: ResolverRig = {
    clockMs: startMs,
    table,
    steps,
    usage: () => open.usage,
    between: (work) => open.resolver.between(work),
    async send(...spans) {
      const decoded = { spans, otherSpans: 0, rejected: [] };
      const encoded = encodeExport(decoded, { arrivedAtMs: rig.clockMs, oldestMs: 90 * dayMs });
      const outcome = await open.acceptor.accept(encoded);
      if (outcome.kind !== "accepted") throw new Error(`the export was ${outcome.kind}`);
      sent += spans.length;
      await until(() => steps.reduce((sum, step) => sum + step.spans, 0) >= sent);
    },
    async quiet() {
      rig.clockMs += 30_001;
      await until(() => open.resolver.held().traces === 0);
    },
    async restart() {
      await open.close();
      open = openParts(directory, rig, heldLimits);
    },
    async close() {
      await open.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  let open = openParts(directory, rig, heldLimits);
  return rig;
}

function openParts(directory: string, rig: ResolverRig, heldLimits?: HeldLimits) {
  const now = () => rig.clockMs;
  const spans = new LmdbLog({ directory: join(directory, "spans") });
  const usage = new LmdbUsageLog({
    directory: join(directory, "usage"),
    identities: { horizonMs: dayMs, entriesMax: 100_000 },
  });
  const space = new DiskSpace({ directory, freeBytesMin: 0 });
  const acceptor = new Acceptor({ append: appendsTo(spans), space, backlogSpansMax: 100_000 });
  const resolver = new Resolver({
    spans,
    usage,
    freshUsage: new FreshEntries<UsageEntry>(8),
    prices: new PriceBook(),
    now,
    tickEveryMs: 5,
    ...(heldLimits === undefined ? {} : { heldLimits }),
    findStored: async (wanted) => newestStored(rig.table, new Set(wanted.map(identityKey))),
    observe: (step) => {
      rig.table.push(...step.records);
      rig.steps.push(step);
    },
  });
  resolver.start();
  const close = async () => {
    await resolver.stop();
    await spans.close();
    await usage.close();
  };
  return { usage, spans, acceptor, resolver, close };
}

function newestStored(table: readonly UsageRecord[], keys: ReadonlySet<string>): Map<string, UsageRecord> {
  const found = new Map<string, UsageRecord>();
  for (const record of table)
    if (record.calls >= 0 && keys.has(identityKey(record))) found.set(identityKey(record), record);
  return found;
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 1));
}
