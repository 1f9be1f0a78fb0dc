/** What the API of a cluster answers as one machine does, over a real broker and ClickHouse, through hand-overs. */

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Quality } from "../src/http/quality.ts";
import { type Burnwatch, burnwatch, settle } from "./support/burnwatch.ts";
import { startCluster, type TestCluster } from "./support/cluster.ts";
import { kafkaMissing } from "./support/kafka-broker.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

const missing = await kafkaMissing();
const partitions = 3;

describe.skipIf(missing !== undefined)("the API of a cluster over a real broker", () => {
  let cluster: TestCluster;
  let first: Burnwatch;
  let second: Burnwatch;
  beforeAll(async () => {
    cluster = await startCluster({ partitions });
    first = await cluster.start("collector,resolver,writer,detector,alerter,api");
    second = await cluster.start("resolver,api");
  }, 120_000);
  afterAll(() => cluster?.stop());

  it("accounts for what producers numbered, over resolvers that each see some of it, and after a hand-over", {
    timeout: 60_000,
  }, async () => {
    const accounted = async ({ apiUrl }: Burnwatch) => {
      await settle(apiUrl);
      const told = ["cost", "alerts"].map(
        async (path) => (await (await fetch(`${apiUrl}/api/v1/${path}`)).json()) as Quality,
      );
      return (await Promise.all(told)).map(({ completeness, lag_seconds }) => ({ completeness, lag_seconds }));
    };
    const expectAccounted = async (server: Burnwatch, completeness: number | null) => {
      const told = { completeness, lag_seconds: 0 };
      expect(await accounted(server)).toEqual([told, told]);
    };
    await expectAccounted(first, null);
    const [one, other] = [randomBytes(8).toString("hex"), randomBytes(8).toString("hex")];
    // Of the first 199 of 200 arrive, twice; of the second 150, and its final mark says that there were 200.
    await postUntilAcked(first.tracesUrl, numbered(one, range(1, 120)));
    await postUntilAcked(first.tracesUrl, numbered(one, [...range(100, 120), ...range(122, 200)]));
    await postUntilAcked(first.tracesUrl, numbered(other, range(1, 150), 200));
    await expectAccounted(first, 349 / 400);
    await expectAccounted(second, 349 / 400);
    // Whoever had the accounts and some of the partitions is gone.
    await second.kill();
    await postUntilAcked(first.tracesUrl, numbered(one, [1, 121]));
    await postUntilAcked(first.tracesUrl, numbered(other, range(140, 190)));
    await second.start();
    await expectAccounted(first, 390 / 400);
    const shown = await burnwatch(["cost"], { BURNWATCH_URL: second.apiUrl });
    expect(shown.stdout).toContain("97.5 % accounted");
  });
});

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** Calls of a producer with their numbers, and its final mark where it has one. */
function numbered(producer: string, sequences: readonly number[], final?: number): string {
  const request = JSON.parse(exportRequest(sequences.length, Date.now()).body);
  const [{ resource, scopeSpans }] = request.resourceSpans;
  resource.attributes.push({ key: "service.instance.id", value: { stringValue: producer } });
  const [{ spans }] = scopeSpans;
  for (const [index, sequence] of sequences.entries())
    spans[index].attributes.push({ key: "burnwatch.record.sequence", value: { intValue: String(sequence) } });
  if (final !== undefined) {
    const mark = { key: "burnwatch.record.final_sequence", value: { intValue: String(final) } };
    const ids = { traceId: randomBytes(16).toString("hex"), spanId: randomBytes(8).toString("hex") };
    spans.push({ ...spans[0], ...ids, name: "burnwatch.final_mark", attributes: [mark] });
  }
  return JSON.stringify(request);
}
