import { describe, expect, it } from "vitest";
import { openPipeline, type ReadyDraft, type SpanDraft, type Transport } from "./pipeline.ts";

const draft = (name: string): SpanDraft => ({
  name,
  kind: "client",
  startMs: 0,
  endMs: 1,
  attributes: {},
  failed: false,
  parent: undefined,
  identity: undefined,
});

function setup(send: (batch: readonly ReadyDraft[]) => Promise<void>) {
  const lines: string[] = [];
  const transport: Transport<readonly ReadyDraft[]> = { prepare: (drafts) => [...drafts], send };
  const pipeline = openPipeline({
    load: () => Promise.resolve(transport),
    nowMs: () => performance.now(),
    log: (line) => lines.push(line),
  });
  return { pipeline, lines };
}

describe("the pipeline", () => {
  it("sends the same batch again after a failure, then the rest in order, with one line down and one up", async () => {
    const sent: string[][] = [];
    let failures = 3;
    const { pipeline, lines } = setup((batch) => {
      sent.push(batch.map(({ name }) => name));
      failures -= 1;
      return failures >= 0 ? Promise.reject({ code: "ECONNREFUSED" }) : Promise.resolve();
    });
    pipeline.record(draft("a"));
    expect(await pipeline.flush(1000)).toBe(false);
    pipeline.record(draft("b"));
    expect(await pipeline.flush(1000)).toBe(false);
    expect(await pipeline.flush(1000)).toBe(false);
    expect(await pipeline.flush(1000)).toBe(true);
    expect(sent).toEqual([["a"], ["a"], ["a"], ["a"], ["b"]]);
    expect(lines).toEqual([
      "collector not reachable (ECONNREFUSED): keeping up to 8192 records",
      "collector reachable again, 0 records dropped so far",
    ]);
  });

  it("keeps 8,192 records, drops and counts the rest, and numbers all of them", async () => {
    const numbers: unknown[] = [];
    let down = true;
    const { pipeline } = setup((batch) => {
      if (down) return Promise.reject({ code: "ECONNREFUSED" });
      numbers.push(...batch.map(({ attributes }) => attributes["burnwatch.record.sequence"]));
      return Promise.resolve();
    });
    for (let count = 0; count < 10_000; count += 1) pipeline.record(draft("a"));
    await pipeline.flush(100);
    expect(pipeline.stats).toMatchObject({ recorded: 10_000, dropped: 1808, waiting: 8192 });
    down = false;
    expect(await pipeline.flush(1000)).toBe(true);
    expect(numbers.length).toBe(8192);
    expect(numbers[0]).toBe(1);
  });

  it("a batch that the collector refuses as malformed is dropped and does not block the next", async () => {
    const { pipeline } = setup((batch) =>
      batch[0]?.name === "bad" ? Promise.reject({ code: 400 }) : Promise.resolve(),
    );
    pipeline.record(draft("bad"));
    await pipeline.flush(1000);
    pipeline.record(draft("good"));
    expect(await pipeline.flush(1000)).toBe(true);
    expect(pipeline.stats).toMatchObject({ delivered: 1, dropped: 1, waiting: 0 });
  });

  it("an unanswered export ends the flush at its time", async () => {
    const { pipeline } = setup(() => new Promise(() => {}));
    pipeline.record(draft("a"));
    const started = performance.now();
    expect(await pipeline.flush(100)).toBe(false);
    expect(performance.now() - started).toBeLessThan(500);
  });

  it("what is taken out at the end bears ids and is not sent twice", async () => {
    const { pipeline } = setup(() => new Promise(() => {}));
    pipeline.record(draft("a"));
    await pipeline.flush(20);
    pipeline.record(draft("b"));
    const taken = pipeline.takeUnsent();
    expect(taken.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(taken[0]?.identity).toMatchObject({ traceId: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(pipeline.takeUnsent()).toEqual([]);
  });

  it("the final mark is set once per number of records", async () => {
    const names: string[] = [];
    const { pipeline } = setup((batch) => {
      names.push(...batch.map(({ name }) => name));
      return Promise.resolve();
    });
    pipeline.record(draft("a"));
    pipeline.markFinal();
    pipeline.markFinal();
    await pipeline.flush(1000);
    expect(names).toEqual(["a", "burnwatch.final_mark"]);
  });
});
