import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DiskSpace } from "../event-log/disk-space.ts";
import type { EventLog } from "../event-log/event-log.ts";
import { LmdbLog } from "../event-log/lmdb-log.ts";
import type { Span } from "../model/span.ts";
import { Acceptor, appendsTo } from "./accept.ts";
import { encodeExport } from "./encoded-export.ts";

const nowMs = Date.UTC(2026, 5, 1);
let directory = "";
let log: LmdbLog;
let freeBytes = 0;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "burnwatch-accept-"));
  log = new LmdbLog({ directory });
});
afterEach(async () => {
  await log.close();
  rmSync(directory, { recursive: true, force: true });
});

function acceptor(into: EventLog = log): Acceptor {
  const space = new DiskSpace({ directory, freeBytesMin: 256e6, freeBytes: () => freeBytes });
  return new Acceptor({ append: appendsTo(into), space, backlogSpansMax: 10 });
}

const span: Span = {
  traceId: "1".repeat(32),
  spanId: "2".repeat(16),
  parentSpanId: "",
  name: "chat",
  scope: "",
  startUs: nowMs * 1000,
  endUs: nowMs * 1000 + 5,
  status: "ok",
  attributes: {},
  resource: {},
};
const decoded = { spans: [span], otherSpans: 0, rejected: [] };
const one = encodeExport(decoded, { arrivedAtMs: nowMs, oldestMs: 90 * 86_400_000 });

it("refuses spans while the disk is nearly full, saying why and when to come again, and takes them once it is not", async () => {
  const receiver = acceptor();
  freeBytes = 3e6;
  expect(await receiver.accept(one)).toEqual({
    kind: "unavailable",
    retryAfterSeconds: 10,
    message:
      "not enough space on the collector's disk: 3.0 MB free, 256.0 MB needed (disk.free_bytes_min); free some, and spans are taken again without a restart",
  });
  expect([log.lastOffset(), receiver.backlogSpans()]).toEqual([0, 0]);
  freeBytes = 300e6;
  expect(await receiver.accept(one)).toEqual({ kind: "accepted", rejected: [] });
  expect([log.lastOffset(), receiver.backlogSpans()]).toEqual([1, 1]);
});

it("tells its owner when the log can no longer be written, and the exporter to come again", async () => {
  freeBytes = 300e6;
  const append = { value: () => Promise.reject(new Error("cannot write spans: No space left on device")) };
  const receiver = acceptor(Object.create(log, { append }) as EventLog);
  const message = "cannot write spans: No space left on device";
  expect(await receiver.accept(one)).toEqual({ kind: "unavailable", retryAfterSeconds: 5, message });
  expect(receiver.backlogSpans()).toBe(0);
  await expect(receiver.failed).rejects.toThrow(message);
});
