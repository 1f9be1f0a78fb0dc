/** The thread of the detectors: decodes what it is given of the usage log and judges it (see detection/judge.ts). */

import { parentPort, workerData } from "node:worker_threads";
import { type ClaimOptions, claimHere } from "./detection/claim-judge.ts";
import { type FromJudge, type JudgeThreadData, judgeHere, type ToJudge } from "./detection/judge.ts";
import { CorruptEntry, OtherVersionEntry } from "./event-log/unreadable-entry.ts";
import { decodeUsageEntry, encodeUsageEntry, type UsageEntry } from "./ingest/usage-codec.ts";

const { snapshot, ...options } = workerData as JudgeThreadData & Partial<ClaimOptions>;
const codec = { decode: decodeUsageEntry, encode: encodeUsageEntry };
let lastArrivedAtMs = 0;
const judge =
  options.stage === undefined
    ? judgeHere(options, (_, payload) => decode(payload))(snapshot)
    : claimHere(options as ClaimOptions, codec)(snapshot);

parentPort?.on("message", async (question: ToJudge) => {
  const failed = (error: Error): FromJudge => {
    return { kind: "failed", message: error.message, isOtherVersion: error instanceof OtherVersionEntry };
  };
  parentPort?.postMessage(await answerTo(question).catch(failed));
});

async function answerTo(question: ToJudge): Promise<FromJudge> {
  if (question.kind === "snapshot") return { kind: "snapshot", snapshot: await judge.snapshot() };
  return { kind: "judged", told: await judge.judge(question.entries), seriesCount: judge.seriesCount() };
}

/** What nobody can read has no records: whoever stores the log puts it aside, or stops at it. */
function decode(payload: Uint8Array): UsageEntry {
  try {
    const entry = decodeUsageEntry(payload);
    lastArrivedAtMs = entry.arrivedAtMs;
    return entry;
  } catch (error) {
    if (error instanceof CorruptEntry) return { arrivedAtMs: lastArrivedAtMs, records: [] };
    throw error;
  }
}
