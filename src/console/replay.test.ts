import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type OtlpSink, startOtlpSink } from "../replay/otlp-sink.ts";
import { replay } from "./replay.ts";
import { runForTest, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
let sink: OtlpSink;
let folder = "";
let file = "";
beforeEach(async () => {
  [server, sink, folder] = await Promise.all([
    startTestServer(),
    startOtlpSink(),
    mkdtemp(join(tmpdir(), "burnwatch-")),
  ]);
  file = join(folder, "usage.csv");
  await writeFile(file, "model,input_tokens,output_tokens\ngpt-4o,100,10\nmystery,200,20\n");
  server.answers["POST /api/v1/settle"] = { body: {} };
});
afterEach(async () => {
  await Promise.all([server.stop(), sink.stop(), rm(folder, { recursive: true })]);
});

/** Answers whatever set and producer are asked about. */
function answer(stored: object, refused: object = { rejected: 0, reasons: {} }): void {
  const known = server.answers;
  server.answers = new Proxy(known, {
    get(target, key) {
      const path = String(key);
      if (path.startsWith("GET /api/v1/replays/")) return { body: stored };
      if (path.startsWith("GET /api/v1/producers/")) return { body: refused };
      return target[path];
    },
  });
}

const stored = { accepted: 2, input_tokens: 300, output_tokens: 30, cost_usd: "0.000350000", unpriced_calls: 1 };
const run = (args: string[], env: Record<string, string> = {}) =>
  runForTest(replay, [...args, "--api", server.url], { env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: sink.url, ...env } });

test("prints what was sent and what the server made of it", async () => {
  answer(stored);
  const { code, out, err } = await run([file, "--tenant", "demo"]);
  expect(err).toBe("");
  expect(code).toBe(0);
  expect(out).toMatch(
    /^sent {6}2 calls in \d+\.\d s \([\d,]+ a second\)\naccepted {2}2\nrejected {2}0\ntokens {4}300 in, 30 out\ncost {6}\$0\.0003500 and 1 calls without a known price\n$/,
  );
  const paths = server.asked.map(({ method, path }) => `${method} ${path}`);
  const [record, , mark] = sink.spans;
  expect(paths).toEqual([
    "POST /api/v1/settle",
    `GET /api/v1/replays/${record?.traceId.slice(0, 16)}`,
    `GET /api/v1/producers/${mark?.resource["service.instance.id"]}`,
  ]);
});

test("--json prints the shape that scripts rely on, and no progress", async () => {
  answer(stored);
  const { out, err } = await run([file, "--json"]);
  expect(Object.keys(JSON.parse(out))).toEqual([
    "sent",
    "accepted",
    "rejected",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "seconds",
  ]);
  expect(JSON.parse(out)).toMatchObject({ sent: 2, accepted: 2, rejected: 0, cost_usd: "0.000350000" });
  expect(err).toBe("");
});

test("fails where not everything was accepted, with the reasons", async () => {
  answer({ ...stored, accepted: 0, cost_usd: null }, { rejected: 1, reasons: { time_out_of_range: 1 } });
  const { code, out } = await run([file]);
  expect(code).toBe(1);
  expect(out).toContain("rejected  1 (time_out_of_range: 1)\nmissing   1: neither accepted nor rejected");
  expect(out).toContain("cost      unknown");
});

test("an API that is not there after the sending is said clearly", async () => {
  await server.stop();
  const { code, err } = await run([file]);
  expect(code).toBe(1);
  expect(err).toContain(`2 spans were sent and acknowledged, but ${server.url} did not say what became of them`);
  server = await startTestServer();
});

/** An address where somebody listened a moment ago. */
async function stopped(): Promise<TestServer> {
  const gone = await startTestServer();
  await gone.stop();
  return gone;
}

test("where nobody listens, one line says so", async () => {
  const { url } = await stopped();
  const { code, err } = await run([file, "--endpoint", url]);
  expect(code).toBe(1);
  expect(err).toBe(
    `burnwatch replay: no Burnwatch at ${url}/v1/traces: start one with npm start, or name its OTLP endpoint with --endpoint\n`,
  );
});

test.each([
  [[], "name a file to replay"],
  [["f", "--time", "then"], "--time then: expected now or original"],
  [["f", "--speed", "0"], "--speed 0: expected a number above 0, or max"],
  [["f", "--speed", "fast"], "--speed fast: expected a number above 0, or max"],
  [["f", "--endpoint", "localhost:4318"], "--endpoint localhost:4318: expected a URL like"],
])("%j is wrong usage", async (args, message) => {
  expect(await run(args)).toMatchObject({ code: 2, err: expect.stringContaining(message) });
});

test("the general endpoint of OpenTelemetry is a base", async () => {
  answer(stored);
  const base = sink.url.replace("/v1/traces", "/");
  const { code } = await runForTest(replay, [file, "--api", server.url], {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: base },
  });
  expect(code).toBe(0);
  expect(sink.spans.length).toBe(3);
});

test("a broken file is refused with its row, reason and the way around", async () => {
  await writeFile(file, "model,input_tokens\nm,many\n");
  expect(await run([file])).toMatchObject({
    code: 1,
    err: `burnwatch replay: ${file}: row 1 (line 2): input_tokens: expected a whole number of tokens, found "many"\n  use --skip-bad to leave broken rows out\n`,
  });
});
