/** The thread of the detectors: decodes what it is given of the usage log and judges it (see detection/judge.ts). */

import { parentPort, workerData } from "node:worker_threads";
import { type ClaimOptions, claimHere } from "./detection/claim-judge.ts";
import { type FromJudge, type JudgeThreadData, judgeHere, type ToJudge } from "./detection/judge.ts";
import { decodeUsageEntry, encodeUsageEntry } from "./ingest/usage-codec.ts";

const { snapshot, ...options } = workerData as JudgeThreadData & Partial<ClaimOptions>;
const codec = { decode: decodeUsageEntry, encode: encodeUsageEntry };
const judge =
  options.stage === undefined
    ? judgeHere(options, (_, payload) => decodeUsageEntry(payload))(snapshot)
    : claimHere(options as ClaimOptions, codec)(snapshot);

parentPort?.on("message", async (question: ToJudge) => {
  const answer: FromJudge =
    question.kind === "snapshot"
      ? { kind: "snapshot", snapshot: await judge.snapshot() }
      : { kind: "judged", told: await judge.judge(question.entries), seriesCount: judge.seriesCount() };
  parentPort?.postMessage(answer);
});
