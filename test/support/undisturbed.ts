/**
 * What detectors and alerter of a cluster have told, compared with what judges say of its usage topic that were never killed, moved
 * or replaced.
 */

import { AlertBook } from "../../src/alerting/alert-book.ts";
import { savedAlerts } from "../../src/cluster/alerting.ts";
import { readConfig } from "../../src/config.ts";
import { type Claimed, claimHere } from "../../src/detection/claim-judge.ts";
import { type ClaimsEntry, foldClaims } from "../../src/detection/fold-claims.ts";
import { judgeHere, type LoggedEntry } from "../../src/detection/judge.ts";
import type { Stage } from "../../src/detection/stages.ts";
import { decodeUsageEntry, encodeUsageEntry } from "../../src/ingest/usage-codec.ts";
import type { Alert } from "../../src/model/finding.ts";
import { choicesOf } from "../../src/pipeline.ts";
import type { TestCluster } from "./cluster.ts";

/** What is in a topic or in the alerter's book and should not be, or should be and is not; a line each. */
export interface Differences {
  readonly deltas: readonly string[];
  readonly claims: readonly string[];
  readonly alerts: readonly string[];
}

const seriesMax = 1000;

/** Detectors and alerter must have been stopped in good order: what they read last is then saved. */
export async function differencesToUndisturbed(cluster: TestCluster): Promise<Differences> {
  const { client, topics, prefix, environment } = cluster;
  const config = { ...readConfig(undefined, environment), kafkaPrefix: prefix };
  const partitions = config.kafkaPartitions;
  const judgeStage = async (stage: Stage, entries: readonly LoggedEntry[]) => {
    const options = { choices: choicesOf(config), seriesMax, stage, partitions: stage === "parts" ? partitions : 1 };
    const judge = claimHere(options, { decode: decodeUsageEntry, encode: encodeUsageEntry })(undefined);
    return (await judge.judge(entries)).flat();
  };
  const parts: Claimed[] = [];
  for (let partition = 0; partition < partitions; partition++)
    parts.push(...(await judgeStage("parts", await entriesOf(cluster, topics.usage, partition))));
  const deltas = await entriesOf(cluster, topics.deltas, 0);
  const textOf = (payload: Uint8Array) => JSON.stringify(decodeUsageEntry(payload));
  const expectedDeltas = parts.flatMap((claimed) => (claimed.deltas === null ? [] : textOf(claimed.deltas)));

  const wholes = await judgeStage("wholes", deltas);
  const claims = await entriesOf(cluster, topics.claims, 0);
  const toldClaims = claims.flatMap(
    ({ payload }) => (JSON.parse(Buffer.from(payload).toString()) as ClaimsEntry).claims,
  );
  const expectedClaims = [...parts, ...wholes].flatMap(({ claims: said }) => said);

  const book = new AlertBook(undefined);
  const folded = (await foldClaims(undefined).judge(claims)).flat();
  for (const [index, { findings }] of folded.entries()) book.apply(findings, index + 1);
  const known = (alerts: ReturnType<AlertBook["alerts"]>) =>
    // What the store says of the cause depends on when it was asked.
    alerts.map(({ annotations: _annotations, ...alert }) => JSON.stringify(alert));
  return {
    deltas: compared(
      // What is accepted stands among the sums as well, by the alerter.
      deltas
        .filter(({ payload }) => decodeUsageEntry(payload).relearnt === undefined)
        .map(({ payload }) => textOf(payload)),
      expectedDeltas,
    ),
    claims: compared(
      toldClaims.map((claim) => JSON.stringify(claim)),
      expectedClaims.map((claim) => JSON.stringify(claim)),
    ),
    alerts: compared(known(await savedAlerts({ config, client })), known(book.alerts())),
  };
}

/** The alerts of one process that read the whole usage topic in the order of arrival. */
export async function alertsOfOneProcess(cluster: TestCluster): Promise<readonly Alert[]> {
  const { environment, prefix, topics } = cluster;
  const config = { ...readConfig(undefined, environment), kafkaPrefix: prefix };
  const all: LoggedEntry[] = [];
  for (let partition = 0; partition < config.kafkaPartitions; partition++)
    all.push(...(await entriesOf(cluster, topics.usage, partition)));
  const dated = all.map(({ payload }) => ({ payload, atMs: decodeUsageEntry(payload).arrivedAtMs }));
  const entries = dated.sort((a, b) => a.atMs - b.atMs).map(({ payload }, index) => ({ offset: index + 1, payload }));
  const judge = judgeHere({ choices: choicesOf(config), seriesMax }, (_, payload) => decodeUsageEntry(payload));
  const book = new AlertBook(undefined);
  const found = await judge(undefined).judge(entries);
  for (const [index, findings] of found.entries()) book.apply(findings, index + 1);
  return book.alerts();
}

/** As multisets. */
function compared(found: readonly string[], expected: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const text of expected) counts.set(text, (counts.get(text) ?? 0) + 1);
  for (const text of found) counts.set(text, (counts.get(text) ?? 0) - 1);
  return [...counts].flatMap(([text, count]) =>
    count === 0 ? [] : [`${count > 0 ? "missing" : "too many"} (${Math.abs(count)}): ${text}`],
  );
}

/** All that is in a partition, with offsets as our logs have them. */
export async function entriesOf(
  { client }: Pick<TestCluster, "client">,
  topic: string,
  partition: number,
): Promise<readonly LoggedEntry[]> {
  const end = (await client.endOffsets(topic)).get(partition) ?? 0;
  const reader = await client.reader(topic, partition);
  const found: LoggedEntry[] = [];
  for (let offset = 0; offset < end; ) {
    const { records, nextOffset } = await reader.fetch({ offset, bytesMax: 8 * 1024 * 1024, waitMs: 200 });
    found.push(...records.map(({ offset: at, value }) => ({ offset: at + 1, payload: value })));
    if (nextOffset === offset) break;
    offset = nextOffset;
  }
  await reader.close();
  return found;
}
