/** The API of a cluster: what ClickHouse and the brokers can tell. What only a single process would know, it says it does not. */

import type { Server } from "node:http";
import { createServer } from "node:http";
import type { KafkaClient } from "../event-log/kafka-client.ts";
import { KafkaLog } from "../event-log/kafka-log.ts";
import { resolverGroup } from "../event-log/kafka-resolver-log.ts";
import { topicsOf } from "../event-log/kafka-topics.ts";
import { untilConsumed } from "../event-log/until-consumed.ts";
import { apiRoutes, type Check } from "../http/api.ts";
import type { Quality } from "../http/quality.ts";
import { createRouter } from "../http/router.ts";
import { arrivedAtMsOf } from "../ingest/entry-bytes.ts";
import { compareTokens, missingSpansText } from "../ingest/metrics/token-check.ts";
import { decodeUsageEntry } from "../ingest/usage-codec.ts";
import { check, unpricedShare } from "../server-state.ts";
import type { Store } from "../store/store.ts";
import { alerterGroup, savedAlerts } from "./alerting.ts";
import { detectorGroups } from "./detection.ts";
import { layoutOf, now, type PartOptions, writerGroup } from "./parts.ts";

/** A group, what it reads, and how it is called before others. */
interface Reading {
  readonly what: string;
  readonly group: string;
  readonly topic: string;
  /** When an entry arrived; null for one that only tells the time. */
  readonly arrivedAtMs: (payload: Uint8Array) => number | null;
}

const answersKeptMs = 2000;
const unpricedKeptMs = 10_000;
const tokensKeptMs = 30_000;
const lagSecondsWarn = 30;
const entriesLookedAt = 64;

/** A server of the API, not listening yet. */
export function createClusterApi(options: PartOptions & { readonly store: Store; readonly version: string }): Server {
  const { config, client, metrics, store, version } = options;
  const startedAtMs = now();
  const readings = readingsOf(options);
  const lags = kept(answersKeptMs, () => lagsOf(client, readings));
  const unpriced = kept(unpricedKeptMs, () => unpricedShare(store));
  const tokens = kept(tokensKeptMs, () => compareTokens(store, now()));
  const quality = async (): Promise<Quality> => ({
    // A producer's spans are spread over resolvers, none of which sees all of its numbers.
    completeness: null,
    unpriced_share: await unpriced(),
    lag_seconds: storedLag(await lags()),
    missing_spans: missingSpansText(await tokens()),
  });
  const routes = apiRoutes({
    version,
    store,
    metrics,
    now,
    rawRetentionDays: config.rawRetentionDays,
    tail: null,
    accept: null,
    producer: null,
    pricing: null,
    alerts: kept(answersKeptMs, () => savedAlerts(options)),
    quality,
    tokens,
    ready: () => metrics.memberships.outside(),
    status: async () => ({
      version,
      store: await store.describe(),
      node: process.versions.node,
      uptime_seconds: Math.round((now() - startedAtMs) / 1000),
      raw_retention_days: config.rawRetentionDays,
      rollup_retention_months: config.rollupRetentionMonths,
      lag_seconds_by_part: Object.fromEntries(await lags()),
      ...(await quality()),
    }),
    checks: async () => [
      check("store", "ok", await store.describe(), ""),
      ...[...(await lags())].map(([what, seconds]) => lagCheck(what, seconds)),
      pricesCheck(await unpriced()),
    ],
    async settle(timeoutMs) {
      const signal = AbortSignal.timeout(timeoutMs);
      for (const { group, topic } of readings) await untilConsumed(client, group, topic, signal);
    },
  });
  const route = createRouter(routes);
  return createServer((request, response) => void route(request, response));
}

/** In the order in which they feed each other. */
function readingsOf({ config }: PartOptions): readonly Reading[] {
  const topics = topicsOf(layoutOf(config));
  const named = (name: string) => `${config.kafkaPrefix}.${name}`;
  const always = (payload: Uint8Array) => arrivedAtMsOf(payload);
  const withRecords = (payload: Uint8Array) => {
    const { arrivedAtMs, records } = decodeUsageEntry(payload);
    return records.length === 0 ? null : arrivedAtMs;
  };
  return [
    { what: "resolver", group: named(resolverGroup), topic: topics.spans, arrivedAtMs: always },
    { what: "writer", group: named(writerGroup), topic: topics.usage, arrivedAtMs: withRecords },
    { what: "detector", group: named(detectorGroups.parts), topic: topics.usage, arrivedAtMs: withRecords },
    { what: "detector of wholes", group: named(detectorGroups.wholes), topic: topics.deltas, arrivedAtMs: withRecords },
    // Claims are rare, and what waits among them only tells the time.
    { what: "alerter", group: named(alerterGroup), topic: topics.claims, arrivedAtMs: () => null },
  ];
}

/** Age in seconds of the oldest entry that each part has not done with; 0 where there is none. */
async function lagsOf(client: KafkaClient, readings: readonly Reading[]): Promise<ReadonlyMap<string, number>> {
  const lags = new Map<string, number>();
  for (const reading of readings) lags.set(reading.what, await lagOf(client, reading));
  return lags;
}

async function lagOf(client: KafkaClient, { group, topic, arrivedAtMs }: Reading): Promise<number> {
  const [ends, committed] = await Promise.all([client.endOffsets(topic), client.committed(group, topic)]);
  let oldestMs = now();
  for (const [partition, end] of ends) {
    const offset = committed.get(partition)?.offset ?? (await client.startOffset(topic, partition));
    if (offset >= end) continue;
    const log = await KafkaLog.open({ client, topic, partition });
    try {
      for (const { payload } of await log.read(offset, entriesLookedAt))
        oldestMs = Math.min(oldestMs, arrivedAtMs(payload) ?? oldestMs);
    } finally {
      await log.close();
    }
  }
  return Math.max(0, Math.round((now() - oldestMs) / 100) / 10);
}

/** Of the oldest acknowledged span that cannot be queried yet. */
function storedLag(lags: ReadonlyMap<string, number>): number {
  return Math.max(lags.get("resolver") ?? 0, lags.get("writer") ?? 0);
}

function lagCheck(what: string, seconds: number): Check {
  const advice = `start more of --role ${what.split(" ")[0]}, or see what their logs say`;
  return check(`lag of ${what}`, seconds > lagSecondsWarn ? "warn" : "ok", `${seconds} s`, advice);
}

function pricesCheck(share: number | null): Check {
  const detail = share === null ? "no calls in the last day" : `${(share * 100).toFixed(2)} % of calls unpriced`;
  const isBad = share !== null && share > 0.01;
  return check("prices", isBad ? "warn" : "ok", detail, "see which with burnwatch models");
}

/** An answer, asked anew when it is older than that; a failed one is asked anew at once. */
function kept<Answer>(forMs: number, ask: () => Promise<Answer>): () => Promise<Answer> {
  let last: { readonly atMs: number; readonly answer: Promise<Answer> } | undefined;
  return () => {
    if (last === undefined || now() - last.atMs > forMs) {
      const asked = { atMs: now(), answer: ask() };
      last = asked;
      asked.answer.catch(() => {
        if (last === asked) last = undefined;
      });
    }
    return last.answer;
  };
}
