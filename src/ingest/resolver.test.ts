import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openResolverRig, type ResolverRig } from "../../test/support/resolver.ts";
import type { AttributeValue, Span } from "../model/span.ts";
import { decodeUsageEntry } from "./usage-codec.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
let rig: ResolverRig;

beforeEach(() => {
  rig = openResolverRig(Date.UTC(2026, 5, 1, 12));
});
afterEach(() => rig.close());

function chat(number: number, attributes: Readonly<Record<string, AttributeValue>> = {}, startMs = rig.clockMs): Span {
  return {
    traceId: number.toString(16).padStart(32, "0"),
    spanId: number.toString(16).padStart(16, "0"),
    parentSpanId: "",
    name: "chat",
    scope: "",
    startUs: startMs * 1000,
    endUs: startMs * 1000 + 5,
    status: "ok",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.usage.input_tokens": 1000,
      ...attributes,
    },
    resource: {},
  };
}

/** Sums over everything resolved: gpt-4o costs 2,500 nano-dollars an input token. */
function sums() {
  const entries = rig
    .usage()
    .entries.peek(0, 10_000)
    .flatMap(({ payload }) => decodeUsageEntry(payload).records);
  expect(entries).toEqual(rig.table);
  return {
    calls: rig.table.reduce((sum, { calls }) => sum + calls, 0),
    input: rig.table.reduce((sum, { usage }) => sum + usage.input, 0),
    nanoUsd: rig.table.reduce((sum, { costNanoUsd }) => sum + (costNanoUsd ?? 0), 0),
    rows: rig.table.length,
  };
}

const once = { calls: 1, input: 1000, nanoUsd: 2_500_000, rows: 1 };

describe("a repeat of a span counts once", () => {
  it("in the same export", async () => {
    await rig.send(chat(1), chat(1));
    expect(sums()).toEqual(once);
  });
  it("in another export, and after a restart", async () => {
    await rig.send(chat(1));
    await rig.send(chat(1));
    await rig.restart();
    await rig.send(chat(1));
    expect(sums()).toEqual(once);
  });
  it("after an hour, and on another day within the horizon", async () => {
    const span = chat(1);
    await rig.send(span);
    rig.clockMs += hourMs;
    await rig.send(span);
    rig.clockMs += 14 * hourMs;
    await rig.send(span);
    expect(sums()).toEqual(once);
  });
  it("among others, after a restart, on another day, and in whatever order", async () => {
    const spans = [1, 2, 3].map((number) => chat(number));
    await rig.send(...spans);
    await rig.restart();
    rig.clockMs += 13 * hourMs;
    await rig.send(chat(4), ...spans.toReversed(), chat(5));
    await rig.restart();
    await rig.send(...spans);
    expect(sums()).toEqual({ calls: 5, input: 5000, nanoUsd: 12_500_000, rows: 5 });
  });
  it("after the index has forgotten it, because the table is asked", async () => {
    const span = chat(1);
    await rig.send(span);
    for (let day = 0; day < 4; day++) {
      rig.clockMs += dayMs;
      await rig.send(chat(100 + day));
    }
    expect(rig.usage().memory.trace({ tenant: "default", traceId: span.traceId }).spans.size).toBe(0);
    await rig.send(span);
    expect(sums()).toMatchObject({ calls: 5, rows: 5 });
  });
  it("in the same export, when it began so long ago that the table is asked", async () => {
    const late = chat(1, {}, rig.clockMs - 20 * dayMs);
    await rig.send(late, chat(2), late, late);
    await rig.send(late);
    expect(sums()).toEqual({ calls: 2, input: 2000, nanoUsd: 5_000_000, rows: 2 });
  });
  it("in the same export, where calls of another tenant are part of the trace and come in between", async () => {
    const other = (number: number) => ({
      ...chat(1, { "burnwatch.tenant": "other" }),
      spanId: `${number}`.padStart(16, "0"),
    });
    await rig.send(chat(1), other(7), chat(1), other(8), other(7), chat(1));
    await rig.restart();
    await rig.send(other(8), chat(1), other(7));
    expect(sums()).toEqual({ calls: 3, input: 3000, nanoUsd: 7_500_000, rows: 3 });
  });
  it("but not across tenants", async () => {
    await rig.send(chat(1), chat(1, { "burnwatch.tenant": "other" }));
    expect(sums()).toMatchObject({ calls: 2, rows: 2 });
  });
});

describe("a span sent again with a higher revision corrects the sums", () => {
  const corrected = { "gen_ai.usage.input_tokens": 400, "burnwatch.revision": 1 };

  it("in the same export", async () => {
    await rig.send(chat(1), chat(1, corrected));
    expect(sums()).toEqual({ calls: 1, input: 400, nanoUsd: 1_000_000, rows: 3 });
  });
  it("in another export, after a restart, and only once", async () => {
    await rig.send(chat(1));
    await rig.restart();
    await rig.send(chat(1, corrected));
    await rig.send(chat(1, corrected), chat(1));
    expect(sums()).toEqual({ calls: 1, input: 400, nanoUsd: 1_000_000, rows: 3 });
  });
  it("again with a still higher one", async () => {
    await rig.send(chat(1), chat(1, corrected), chat(1, { "gen_ai.usage.input_tokens": 7, "burnwatch.revision": 2 }));
    expect(sums()).toEqual({ calls: 1, input: 7, nanoUsd: 17_500, rows: 5 });
  });
  it("counts as the call itself when it comes first, and the earlier revision is then a repeat", async () => {
    await rig.send(chat(1, corrected));
    await rig.send(chat(1));
    expect(sums()).toEqual({ calls: 1, input: 400, nanoUsd: 1_000_000, rows: 1 });
  });
  it("takes back an unknown price as an unknown price", async () => {
    const unpriced = { "gen_ai.request.model": "nonesuch", "gen_ai.response.model": "nonesuch" };
    await rig.send(chat(1, unpriced));
    await rig.send(chat(1, { "burnwatch.revision": 1 }));
    expect(rig.table.map(({ calls, costNanoUsd }) => [calls, costNanoUsd])).toEqual([
      [1, null],
      [-1, null],
      [1, 2_500_000],
    ]);
  });
});

it("cuts a backfill over a year into entries of at most 20 days each", async () => {
  const spans = Array.from({ length: 80 }, (_, day) => chat(day + 1, {}, rig.clockMs - day * dayMs));
  await rig.send(...spans);
  const entries = rig
    .usage()
    .entries.peek(0, 1000)
    .map(({ payload }) => decodeUsageEntry(payload).records);
  for (const records of entries) {
    expect(new Set(records.map(({ startUs }) => Math.floor(startUs / 1000 / dayMs))).size).toBeLessThanOrEqual(20);
  }
  expect(entries.flat()).toHaveLength(80);
  expect(entries.filter((records) => records.length > 0)).toHaveLength(4);
});
