import { expect, it } from "vitest";
import { judgeInThread } from "./judge.ts";

const options = { choices: {}, seriesMax: 10 };

it("fails the question at hand and every later one when its thread ends, instead of waiting for ever", async () => {
  const judge = judgeInThread(options, new URL("data:text/javascript,process.exit(3)"))(undefined);
  await expect(judge.judge([])).rejects.toThrow("the thread of the detectors ended with code 3");
  await expect(judge.snapshot()).rejects.toThrow("the thread of the detectors ended with code 3");
  await judge.close();
});

it("fails with what its thread threw", async () => {
  const script =
    "data:text/javascript,import { parentPort } from 'node:worker_threads';parentPort.on('message', () => { throw new Error('no such series') })";
  const judge = judgeInThread(options, new URL(script))(undefined);
  await expect(judge.judge([])).rejects.toThrow("no such series");
  await judge.close();
});
