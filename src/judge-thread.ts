/** The thread of the detectors: decodes what it is given of the usage log and judges it (see detection/judge.ts). */

import { parentPort, workerData } from "node:worker_threads";
import { type FromJudge, type JudgeThreadData, judgeHere, type ToJudge } from "./detection/judge.ts";
import { decodeUsageEntry } from "./ingest/usage-codec.ts";

const { snapshot, ...options } = workerData as JudgeThreadData;
const judge = judgeHere(options, (_, payload) => decodeUsageEntry(payload))(snapshot);

parentPort?.on("message", async (question: ToJudge) => {
  const answer: FromJudge =
    question.kind === "snapshot"
      ? { kind: "snapshot", snapshot: await judge.snapshot() }
      : { kind: "judged", findings: await judge.judge(question.entries), seriesCount: judge.seriesCount() };
  parentPort?.postMessage(answer);
});
