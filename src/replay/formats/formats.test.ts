import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTrace } from "../read-trace.ts";
import type { ReplayCall } from "../replay-call.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "burnwatch-formats-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function trace(content: string | Buffer, options: { name?: string; skipBad?: boolean; format?: string } = {}) {
  const file = join(folder, options.name ?? "trace.csv");
  await writeFile(file, content);
  return readTrace({ file, skipBad: options.skipBad ?? false, format: options.format });
}

const shipped = (name: string) => new URL(`../data/${name}.csv.gz`, import.meta.url).pathname;

/** Sums straight from the text, by nothing of ours. */
async function columnSums(file: string, columns: readonly string[]) {
  const [head = "", ...lines] = gunzipSync(await readFile(file))
    .toString()
    .trim()
    .split(/\r?\n/);
  const indexes = columns.map((name) => head.split(",").indexOf(name));
  const sums = columns.map(() => 0);
  for (const line of lines) {
    const cells = line.split(",");
    for (const [at, index] of indexes.entries()) sums[at] = (sums[at] ?? 0) + Number(cells[index]);
  }
  return { rows: lines.length, sums };
}

const sum = (calls: readonly ReplayCall[], tokens: (call: ReplayCall) => number | undefined) =>
  calls.reduce((total, call) => total + (tokens(call) ?? 0), 0);

describe("the shipped traces are read whole", () => {
  test.each([
    ["AzureLLMInferenceTrace_conv", 19_366, "conv"],
    ["AzureLLMInferenceTrace_code", 8_819, "code"],
  ])("%s has %i calls of the feature %s", async (name, rows, feature) => {
    const read = await readTrace({ file: shipped(name) });
    const expected = await columnSums(shipped(name), ["ContextTokens", "GeneratedTokens"]);
    expect(read.format).toBe("azure");
    expect([read.calls.length, read.badRows]).toEqual([rows, 0]);
    expect(expected.rows).toBe(rows);
    expect([sum(read.calls, (call) => call.inputTokens), sum(read.calls, (call) => call.outputTokens)]).toEqual(
      expected.sums,
    );
    expect(new Set(read.calls.map((call) => call.feature))).toEqual(new Set([feature]));
    expect(new Set(read.calls.map((call) => call.traceKey)).size).toBe(rows);
  });

  test("claude_code_requests_dev has 23,109 calls of 350 sessions", async () => {
    const read = await readTrace({ file: shipped("claude_code_requests_dev") });
    const expected = await columnSums(shipped("claude_code_requests_dev"), ["in", "out", "cached"]);
    expect(read.format).toBe("claude-code");
    expect([read.calls.length, expected.rows]).toEqual([23_109, 23_109]);
    const sums = [
      sum(read.calls, (call) => call.inputTokens),
      sum(read.calls, (call) => call.outputTokens),
      sum(read.calls, (call) => call.cacheReadTokens),
    ];
    expect(sums).toEqual(expected.sums);
    expect(new Set(read.calls.map((call) => call.run)).size).toBe(350);
    expect(read.zeroUs).toBeUndefined();
  });
});

describe("azure", () => {
  test("keeps the microseconds of its times and takes them as UTC", async () => {
    const text =
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109";
    const read = await trace(text, { name: "AzureLLMInferenceTrace_conv.csv" });
    expect(read.zeroUs).toBe(1_700_158_550_995_169);
    expect(read.calls.map((call) => call.startUs)).toEqual([1_700_158_546_680_590 - 1_700_158_550_995_169, 0]);
    expect(read.calls[0]).toMatchObject({
      row: 1,
      provider: "openai",
      model: "gpt-4o",
      feature: "conv",
      tenant: "",
      inputTokens: 374,
      outputTokens: 44,
      cacheReadTokens: undefined,
    });
  });

  test("refuses a file without its columns", async () => {
    await expect(trace("TIMESTAMP,ContextTokens\n", { format: "azure" })).rejects.toThrow(
      "the header lacks GeneratedTokens",
    );
  });
});

describe("claude-code", () => {
  test("ends every session at the same time and leaves a call without server time no duration", async () => {
    const text = [
      "trace,agent,seq,t,model,stream,in,out,cached,think_s,api_s,ttft_s,stop,in_types,out_types",
      "0002,main,0,0.0,claude-opus-4-5-20251101,n,15818,154,0,0.0,5.23,,tool_use,text,text+tool_use",
      "0002,agent_001,1,9.0,claude-opus-4-5-20251101,n,16003,99,15808,3.0,,,,tool_result,text",
      "0003,main,0,100.5,claude-haiku-4-5-20251001,s,10,2,,0.0,0.5,0.1,end_turn,text,text",
    ].join("\n");
    const read = await trace(text);
    expect(read.calls.map(({ run, startUs, endUs }) => [run, startUs, endUs])).toEqual([
      ["0002", -9_000_000, -3_770_000],
      ["0002", 0, 0],
      ["0003", -500_000, 0],
    ]);
    expect(read.calls[1]).toMatchObject({
      agent: "agent_001",
      finishReason: "",
      cacheReadTokens: 15_808,
      traceKey: "0002",
    });
    expect(read.calls[2]).toMatchObject({ feature: "claude-code", provider: "anthropic", cacheReadTokens: undefined });
  });
});

describe("usage", () => {
  const full = {
    timestamp: "2026-01-31T12:00:00.000001Z",
    trace_id: "t1",
    span_id: "s1",
    tenant: "acme",
    service: "shop",
    feature: "search",
    user: "u1",
    session: "s",
    agent: "a",
    run: "r",
    prompt_name: "p",
    prompt_version: "7",
    provider: "openai",
    model: "gpt-4o",
    input_tokens: "100",
    cache_read_tokens: "60",
    cache_write_tokens: "10",
    output_tokens: "50",
    reasoning_tokens: "20",
    duration_ms: "1500.25",
    status: "rate_limit",
    finish_reason: "stop",
    tool: "web",
    tool_args_hash: "beef",
    prompt_hash: "0123456789abcdef",
    outcome: "solved",
    revenue_usd: "0.25",
  };

  test("reads every column, in any order", async () => {
    const names = Object.keys(full).reverse();
    const text = `${names.join(",")}\n${Object.values(full).reverse().join(",")}\n`;
    const read = await trace(text);
    expect(read.format).toBe("usage");
    expect(read.zeroUs).toBe(Date.parse("2026-01-31T12:00:01Z") * 1000 + 500_251);
    expect(read.calls).toEqual([
      {
        row: 1,
        traceKey: "t1",
        spanKey: "1",
        startUs: -1_500_250,
        endUs: 0,
        tenant: "acme",
        service: "shop",
        feature: "search",
        user: "u1",
        session: "s",
        agent: "a",
        run: "r",
        promptName: "p",
        promptVersion: "7",
        provider: "openai",
        model: "gpt-4o",
        responseModel: "gpt-4o",
        inputTokens: 100,
        cacheReadTokens: 60,
        cacheWriteTokens: 10,
        outputTokens: 50,
        reasoningTokens: 20,
        errorType: "rate_limit",
        finishReason: "stop",
        tool: "web",
        toolArgsHash: "beef",
        promptHash: "0123456789abcdef",
        outcome: "solved",
        revenueUsd: "0.25",
      },
    ]);
  });

  test("takes missing columns as empty and quoted cells as they are", async () => {
    const read = await trace('model,feature,timestamp\ngpt-4o,"say ""hi"", twice\nor more",1700158546680\n');
    expect(read.zeroUs).toBe(1_700_158_546_680_000);
    expect(read.calls[0]).toMatchObject({ feature: 'say "hi", twice\nor more', inputTokens: undefined, errorType: "" });
  });

  test("without a timestamp column it has no dates, and all calls end at once", async () => {
    const read = await trace("model,duration_ms\nm,1000\nm,\n");
    expect(read.zeroUs).toBeUndefined();
    expect(read.calls.map(({ startUs, endUs }) => [startUs, endUs])).toEqual([
      [-1_000_000, 0],
      [0, 0],
    ]);
  });

  test.each([
    ["ok", ""],
    ["OK", ""],
    ["", ""],
    ["error", "_OTHER"],
    ["429", "429"],
  ])("the status %j is the error type %j", async (status, errorType) => {
    expect((await trace(`model,status\nm,${status}\n`)).calls[0]?.errorType).toBe(errorType);
  });

  test("an unknown column is named with the nearest known one and the list", async () => {
    await expect(trace("timestamp,modle\n")).rejects.toMatchObject({
      message: expect.stringMatching(/trace\.csv: unknown column "modle"; did you mean "model"\?$/),
      hint: expect.stringMatching(/^columns of the usage format: timestamp, trace_id, .*, revenue_usd$/),
    });
  });

  test("a column may not be there twice", async () => {
    await expect(trace("model,model\n")).rejects.toThrow('the column "model" is there twice');
  });
});

describe("a broken row is named with its number, column and reason", () => {
  const header = "timestamp,input_tokens,cache_read_tokens,output_tokens,reasoning_tokens,duration_ms,revenue_usd";
  const at = "2026-01-01T00:00:00Z";
  test.each([
    [`${at},-5,,,,,`, 'input_tokens: expected a whole number of tokens, found "-5"'],
    [`${at},1.5,,,,,`, 'input_tokens: expected a whole number of tokens, found "1.5"'],
    [
      `${at},99999999999999999999,,,,,`,
      'input_tokens: expected a whole number of tokens, found "99999999999999999999"',
    ],
    [`${at},10,11,,,,`, "input_tokens: 10 must include the 11 tokens read from and written to a cache"],
    [`${at},10,,5,6,,`, "output_tokens: 5 must include the 6 reasoning tokens"],
    [",10,,,,,", "timestamp: is empty"],
    ["1700158546,10,,,,,", "timestamp: expected milliseconds since 1970, found 1700158546, which looks like seconds"],
    [
      "2026-01-01T00:00:00,10,,,,,",
      'expected RFC 3339 with a zone (2026-01-31T12:00:00Z) or epoch milliseconds, found "2026',
    ],
    [`${at},10,,,,soon,`, 'duration_ms: expected a number, found "soon"'],
    [`${at},10,,,,,€5`, 'revenue_usd: expected US dollars with at most 9 decimals, found "€5"'],
    [`${at},10`, "it has 2 fields where the header has 7"],
    [`${at},"1"0,,,,,`, "text follows the closing quote of a field"],
  ])("%s", async (broken, reason) => {
    const text = `${header}\n${at},1,,,,,\n\n${broken}\n${at},2,,,,,\n`;
    await expect(trace(text)).rejects.toMatchObject({
      message: expect.stringContaining(`trace.csv: row 2 (line 4): `),
      hint: "use --skip-bad to leave broken rows out",
    });
    await expect(trace(text)).rejects.toThrow(reason);
    const read = await trace(text, { skipBad: true });
    expect([read.calls.map((call) => call.row), read.badRows, read.badRowNotes.length]).toEqual([[1, 3], 1, 1]);
  });
});

describe("a file that is no trace is refused in one line", () => {
  test.each<[string, string | Buffer, string]>([
    ["empty", "", "the file is empty"],
    ["an empty gzip", gzipSync(""), "the file is empty"],
    ["a header only", "timestamp,model\n", "there is no call in it"],
    ["a gzip cut off", gzipSync("model\n".repeat(9999)).subarray(0, 60), "the gzip data is broken or cut off"],
    ["latin-1", Buffer.from([...Buffer.from("model\ncaf"), 0xe9, 0x0a, 0x61]), "the text is not UTF-8"],
    ["an open quote", 'model\n"gpt\n', "line 2 opens a quote that is never closed"],
  ])("%s", async (_name, content, reason) => {
    await expect(trace(content)).rejects.toThrow(`trace.csv: `);
    await expect(trace(content)).rejects.toThrow(reason);
  });

  test("a file that is not there, a directory and an unknown format", async () => {
    await expect(readTrace({ file: join(folder, "none.csv") })).rejects.toThrow("none.csv: there is no such file");
    await expect(readTrace({ file: folder })).rejects.toThrow("this is a directory");
    await expect(trace("model\nm\n", { format: "otlp" })).rejects.toThrow('unknown format "otlp"');
  });
});

test("gzip is told by content, a byte order mark is passed over, and the hash is of the bytes on disk", async () => {
  const plain = await trace("\ufeffmodel\nm\n", { name: "a.csv.gz" });
  const zipped = await trace(gzipSync("model\nm\n"), { name: "a.csv" });
  expect(plain.calls).toEqual(zipped.calls);
  expect(plain.fileHash).not.toBe(zipped.fileHash);
  expect(plain.fileHash).toMatch(/^[0-9a-f]{64}$/);
});
