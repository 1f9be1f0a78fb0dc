import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openResolverRig, type ResolverRig } from "../../test/support/resolver.ts";
import type { AttributeValue, Span } from "../model/span.ts";
import { seededRandom } from "../store/sample-records.ts";

const startMs = Date.UTC(2026, 5, 1, 12);
let rig: ResolverRig;
beforeEach(() => {
  rig = openResolverRig(startMs);
});
afterEach(() => rig.close());

const trace = "0af7651916cd43dd8448eb211c80319c";

interface Given {
  readonly id: number;
  readonly parent?: number;
  readonly trace?: string;
  readonly scope?: string;
  /** Milliseconds after the start. */
  readonly from?: number;
  readonly to?: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

function spanOf({ id, parent, from = 0, to = 100, scope = "", attributes, ...rest }: Given): Span {
  const idOf = (n: number) => n.toString(16).padStart(16, "0");
  return {
    traceId: rest.trace ?? trace,
    spanId: idOf(id),
    parentSpanId: parent === undefined ? "" : idOf(parent),
    name: "call",
    scope,
    startUs: (startMs + from) * 1000,
    endUs: (startMs + to) * 1000,
    status: "ok",
    attributes,
    resource: {},
  };
}

/** The span of a provider's client. */
function leaf(id: number, input: number, more: Partial<Given> & { readonly responseId?: string } = {}): Span {
  const { responseId, ...given } = more;
  const attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": input,
    ...(responseId === undefined ? {} : { "gen_ai.response.id": responseId }),
  };
  return spanOf({ id, scope: "@burnwatch/instrumentation", attributes, ...given });
}

/** The span of an agent: the sum over its calls. */
function agent(id: number, input: number, more: Partial<Given> = {}): Span {
  const attributes = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": input,
  };
  return spanOf({ id, scope: "gen_ai", attributes, ...more });
}

/** The same call as a framework tells it. */
function retold(id: number, input: number, more: Partial<Given> = {}): Span {
  const attributes = {
    "langsmith.span.kind": "llm",
    "gen_ai.request.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": input,
    "gen_ai.system": "openai",
  };
  return spanOf({ id, scope: "langsmith", attributes, ...more });
}

/** The same call by another instrumentation of the client. */
function twin(id: number, input: number, more: Partial<Given> = {}): Span {
  return { ...leaf(id, input, more), scope: "@opentelemetry/instrumentation-openai@0.22.0" };
}

/** Input tokens billed, calls billed. */
function billed(): readonly [number, number] {
  const { table } = rig;
  return [table.reduce((sum, { usage }) => sum + usage.input, 0), table.reduce((sum, { calls }) => sum + calls, 0)];
}

describe("a span that wraps a call", () => {
  it("is not billed beside the call, whichever comes first", async () => {
    await rig.send(leaf(2, 100, { parent: 1 }));
    await rig.send(agent(1, 100));
    await rig.quiet();
    expect([billed(), rig.steps.at(-1)?.rollups, rig.table.length]).toEqual([[100, 1], 1, 1]);
  });
  it("waits for its trace to be quiet, so that a call that comes second is billed alone", async () => {
    await rig.send(agent(1, 100));
    expect(billed()).toEqual([0, 0]);
    await rig.send(leaf(2, 100, { parent: 1 }));
    await rig.quiet();
    expect([billed(), rig.table.length]).toEqual([[100, 1], 1]);
  });
  it("is billed when its trace is quiet and no call was seen, with the doubt as a flag", async () => {
    await rig.send(agent(1, 100));
    await rig.quiet();
    expect(billed()).toEqual([100, 1]);
    expect(rig.table[0]?.flags).toContain("usage_aggregated");
  });
  it("is taken back when the call comes late, after restarts, too", async () => {
    await rig.send(agent(1, 100));
    await rig.restart();
    await rig.quiet();
    expect(billed()).toEqual([100, 1]);
    await rig.restart();
    rig.clockMs += 20 * 60_000;
    await rig.send(leaf(2, 90, { parent: 1 }));
    expect(billed()).toEqual([90, 1]);
    await rig.send(agent(1, 100), leaf(2, 90, { parent: 1 }));
    await rig.quiet();
    expect(billed()).toEqual([90, 1]);
  });
  it("of two wrappers the inner one is billed where no call was seen", async () => {
    await rig.send(agent(1, 100), retold(2, 100, { parent: 1 }));
    await rig.quiet();
    expect([billed(), rig.table.map(({ spanId }) => spanId)]).toEqual([[100, 1], ["0000000000000002"]]);
  });
  it("is found around a call whose parents were no LLM spans, by its time and model", async () => {
    await rig.send(leaf(9, 70, { parent: 5, from: 20, to: 80 }), retold(1, 70, { from: 10, to: 90 }));
    await rig.quiet();
    expect(billed()).toEqual([70, 1]);
  });
  it("is not billed when both come again after everything of their trace was forgotten", async () => {
    await rig.send(agent(1, 100), leaf(2, 100, { parent: 1 }));
    const hourMs = 3_600_000;
    for (let day = 1; day <= 3; day++) {
      rig.clockMs += 24 * hourMs;
      await rig.send(leaf(9, 5, { trace: String(day).repeat(32) }));
    }
    const before = rig.table.length;
    await rig.send(agent(1, 100), leaf(2, 100, { parent: 1 }));
    await rig.quiet();
    expect(rig.table.slice(before)).toEqual([]);
  });

  it("is told from the span of a parallel call by its tokens, else by standing closest", async () => {
    const client = leaf(9, 70, { parent: 5, from: 20, to: 80 });
    const other = retold(2, 50, { from: 15, to: 85 });
    await rig.send(client, retold(1, 70, { from: 10, to: 90 }), other);
    await rig.send({ ...client, traceId: "2".repeat(32) }, { ...other, traceId: "2".repeat(32) });
    await rig.send(retold(3, 60, { from: 10, to: 90, trace: "2".repeat(32) }));
    await rig.quiet();
    expect(billed()).toEqual([70 + 50 + 70 + 60, 4]);
  });
  it("is found around calls without known parents however many there are", async () => {
    const turns = Array.from({ length: 600 }, (_, turn) => [
      leaf(2 * turn + 1, 7, { parent: 9000 + turn, from: turn * 10 + 2, to: turn * 10 + 8 }),
      agent(2 * turn + 2, 7, { from: turn * 10, to: turn * 10 + 9 }),
    ]);
    await rig.send(...turns.flat());
    await rig.quiet();
    expect(billed()).toEqual([7 * 600, 600]);
  });
  it("of another trace, another tenant or another time is billed", async () => {
    const other = "1".repeat(32);
    await rig.send(leaf(9, 70, { parent: 5 }), agent(1, 70, { trace: other }));
    await rig.send(agent(2, 70, { from: 500, to: 600 }));
    await rig.quiet();
    expect(billed()).toEqual([210, 3]);
  });
});

describe("a flood of spans that may wrap others", () => {
  for (const heldLimits of [
    { tracesMax: 20, wrappersMax: 1000 },
    { tracesMax: 1000, wrappersMax: 20 },
  ]) {
    it(`is billed early and whole beyond ${JSON.stringify(heldLimits)}`, async () => {
      await rig.close();
      rig = openResolverRig(startMs, heldLimits);
      const traceOf = (index: number) => (Math.floor(index / 3) + 1).toString(16).padStart(32, "0");
      const flood = Array.from({ length: 300 }, (_, i) => agent(i + 1, 7, { trace: traceOf(i), from: i * 200 }));
      await rig.send(...flood);
      await rig.quiet();
      await rig.send(...flood);
      await rig.quiet();
      expect(billed()).toEqual([300 * 7, 300]);
    });
  }
});

it("goes on where what it would take back is nowhere any more, and says so", async () => {
  await rig.send(twin(2, 100, { from: 1, to: 99 }));
  rig.table.length = 0;
  await rig.send(leaf(1, 100, { responseId: "r1" }));
  await rig.send(leaf(3, 5, { from: 900, to: 950 }));
  expect(billed()).toEqual([105, 2]);
  // Said with each arrival in its trace: it may be found yet.
  expect(rig.steps.reduce((sum, { conflicts }) => sum + conflicts, 0)).toBe(2);
});

describe("two instrumentations at once", () => {
  it("count one call once, by its response id, side by side", async () => {
    await rig.send(
      leaf(1, 100, { responseId: "r1" }),
      twin(2, 100, { attributes: { ...leaf(1, 100, { responseId: "r1" }).attributes } }),
    );
    expect([billed(), rig.steps.at(-1)?.duplicates]).toEqual([[100, 1], 1]);
  });
  it("believe the inner one where both tell of one answer and differ in its tokens", async () => {
    const inner = leaf(9, 100, { responseId: "a", parent: 1 });
    await rig.send({ ...leaf(1, 101, { responseId: "a" }), scope: "other" }, inner);
    expect(billed()).toEqual([100, 1]);
  });
  it("count one call once, by tokens, model and time, also in separate exports", async () => {
    await rig.send(twin(2, 100, { from: 1, to: 99 }));
    await rig.restart();
    await rig.send(leaf(1, 100, { responseId: "r1" }));
    expect(billed()).toEqual([100, 1]);
  });
  it("do not hide two real calls: not at other times, not with response ids that differ, not of one emitter", async () => {
    await rig.send(leaf(1, 100), twin(2, 100, { from: 300, to: 400 }));
    await rig.send(leaf(3, 100), leaf(4, 100));
    expect(billed()).toEqual([400, 4]);
  });
  it("leave parallel calls of a client alone that have response ids of their own", async () => {
    await rig.send(leaf(1, 100, { responseId: "a" }), { ...leaf(2, 100, { responseId: "b" }), scope: "other" });
    expect(billed()).toEqual([200, 2]);
  });
});

it("ends parents that form a loop, and a span that is its own parent", async () => {
  await rig.send(agent(1, 10, { parent: 2 }), agent(2, 10, { parent: 1 }), leaf(3, 5, { parent: 3 }));
  await rig.quiet();
  expect(billed()[0]).toBe(5);
});

it("bills one of the spans whose parents form a loop, whatever the order: nothing is lost and nothing twice", async () => {
  await rig.send(agent(1, 10, { parent: 3 }), agent(2, 10, { parent: 1 }), agent(3, 10, { parent: 2 }));
  await rig.quiet();
  expect(billed()).toEqual([10, 1]);
});

it("bills the calls of a loop of parents, and what claims to wrap them not", async () => {
  await rig.send(leaf(1, 7, { parent: 2 }), agent(2, 12, { parent: 3 }), leaf(3, 5, { parent: 1 }));
  await rig.quiet();
  expect(billed()).toEqual([12, 2]);
});

it("keeps counting calls exactly in a trace with more spans than are compared", async () => {
  const many = Array.from({ length: 5000 }, (_, index) => leaf(index + 1, 1, { from: index * 10, to: index * 10 + 5 }));
  await rig.send(...many.slice(0, 3000));
  await rig.send(...many.slice(2000));
  await rig.restart();
  await rig.send(...many);
  expect(billed()).toEqual([5000, 5000]);
}, 30_000);

/** A trace as applications make them, and what it really cost. */
function randomTrace(
  random: () => number,
  number: number,
): { readonly spans: Span[]; readonly input: number; readonly calls: number } {
  const traceId = (number + 1).toString(16).padStart(32, "0");
  const spans: Span[] = [];
  let [id, input, calls] = [1, 0, 0];
  for (let turn = 0; turn < 1 + Math.floor(random() * 3); turn++) {
    const root = id++;
    let sum = 0;
    const from = turn * 1000;
    const steps = 1 + Math.floor(random() * 3);
    for (let step = 0; step < steps; step++) {
      const tokens = 1 + Math.floor(random() * 50);
      const at = { trace: traceId, from: from + step * 100, to: from + step * 100 + 50 };
      const parent = random() < 0.5 ? root : (retoldOf(tokens, root, at) ?? root);
      spans.push(leaf(id++, tokens, { ...at, parent, ...(random() < 0.5 ? { responseId: `r${number}-${id}` } : {}) }));
      const last = spans.at(-1);
      if (random() < 0.3 && last !== undefined)
        spans.push({
          ...last,
          spanId: (900 + id++).toString(16).padStart(16, "0"),
          scope: "@opentelemetry/instrumentation-openai",
        });
      sum += tokens;
      calls++;
    }
    spans.push(agent(root, sum, { trace: traceId, from, to: from + 900 }));
    input += sum;
  }
  return { spans, input, calls };

  function retoldOf(tokens: number, parent: number, at: Partial<Given>): number {
    const own = id++;
    spans.push(retold(own, tokens, { ...at, parent }));
    return own;
  }
}

it("gives the same sums whatever the order, the batches, the repeats, the pauses and the restarts", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const traces = Array.from({ length: 3 }, (_, index) => randomTrace(random, seed * 10 + index));
    const spans = traces.flatMap((one) => one.spans);
    const queue = [...spans, ...spans.filter(() => random() < 0.3)].sort(() => random() - 0.5);
    const before = billed();
    while (queue.length > 0) {
      await rig.send(...queue.splice(0, 1 + Math.floor(random() * 8)));
      if (random() < 0.1) await rig.quiet();
      if (random() < 0.05) await rig.restart();
    }
    await rig.quiet();
    const input = traces.reduce((sum, one) => sum + one.input, 0);
    const calls = traces.reduce((sum, one) => sum + one.calls, 0);
    expect([seed, billed()[0] - before[0], billed()[1] - before[1]]).toEqual([seed, input, calls]);
  }
}, 60_000);
