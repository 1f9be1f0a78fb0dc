/** The API of a cluster: what ClickHouse and the brokers can tell. What only a single process would know, it says it does not. */

import type { Server } from "node:http";
import { createServer } from "node:http";
import { type PartLag, partLags } from "../console/part-lag.ts";
import { groupsOf, topicsOf } from "../event-log/kafka-topics.ts";
import { untilConsumed } from "../event-log/until-consumed.ts";
import { apiRoutes, type Check } from "../http/api.ts";
import type { Pricing } from "../http/price-routes.ts";
import type { Quality } from "../http/quality.ts";
import { createRouter } from "../http/router.ts";
import { compareTokens, missingSpansText } from "../ingest/metrics/token-check.ts";
import { listStatus, type OpenPrices } from "../pipeline.ts";
import { check, completenessCheck, unpricedShare } from "../server-state.ts";
import type { Store } from "../store/store.ts";
import { savedCompleteness } from "./accounts.ts";
import { acceptAlert, savedAlerts } from "./alerting.ts";
import { layoutOf, now, type PartOptions } from "./parts.ts";
import { RepriceBoard } from "./reprice-board.ts";
import { repriceDesk } from "./reprice-desk.ts";
import { ClusterTail } from "./tail.ts";

const answersKeptMs = 2000;
const unpricedKeptMs = 10_000;
const tokensKeptMs = 30_000;
const lagSecondsWarn = 30;

export interface ClusterApiOptions extends PartOptions {
  readonly store: Store;
  readonly version: string;
  readonly prices: OpenPrices;
  /** Why this process does not do all of its work, in one line; null where it does. */
  readonly waits: () => string | null;
}

export interface ClusterApi {
  /** Not listening yet. */
  readonly server: Server;
  /** Lets go of who follows calls. */
  close(): Promise<void>;
}

/** The API of a process of a cluster. */
export function createClusterApi(options: ClusterApiOptions): ClusterApi {
  const { config, log, client, metrics, store, version } = options;
  const startedAtMs = now();
  const lags = kept(answersKeptMs, async () => lagsByPart(await partLags(client, config.kafkaPrefix, now())));
  const completeness = kept(answersKeptMs, () => savedCompleteness(options));
  const alerts = kept(answersKeptMs, () => savedAlerts(options));
  const tail = new ClusterTail({
    client,
    topic: topicsOf(layoutOf(config)).usage,
    failed: (error) => log.error({ error: error.message }, "calls cannot be followed any longer"),
  });
  const unpriced = kept(unpricedKeptMs, () => unpricedShare(store));
  const tokens = kept(tokensKeptMs, () => compareTokens(store, now()));
  const quality = async (): Promise<Quality> => ({
    completeness: await completeness.ask(),
    unpriced_share: await unpriced.ask(),
    lag_seconds: storedLag(await lags.ask()),
    missing_spans: missingSpansText(await tokens.ask()),
  });
  const routes = apiRoutes({
    version,
    store,
    metrics,
    now,
    rawRetentionDays: config.rawRetentionDays,
    follow: (response) => tail.follow(response),
    async accept(alert) {
      await acceptAlert(options, alert);
      alerts.forget();
    },
    producer: null,
    pricing: pricingOf(options),
    alerts: alerts.ask,
    quality,
    tokens: tokens.ask,
    ready: options.waits,
    status: async () => ({
      version,
      store: await store.describe(),
      node: process.versions.node,
      uptime_seconds: Math.round((now() - startedAtMs) / 1000),
      raw_retention_days: config.rawRetentionDays,
      rollup_retention_months: config.rollupRetentionMonths,
      lag_seconds_by_part: Object.fromEntries(await lags.ask()),
      ...(await quality()),
    }),
    checks: async () => [
      check("store", "ok", await store.describe(), ""),
      ...Array.from(await lags.ask(), ([what, seconds]) => lagCheck(what, seconds)),
      completenessCheck(await completeness.ask()),
      pricesCheck(await unpriced.ask()),
    ],
    async settle(timeoutMs) {
      const signal = AbortSignal.timeout(timeoutMs);
      for (const { group, topic } of groupsOf({ prefix: config.kafkaPrefix }))
        await untilConsumed(client, group, topic, signal);
      for (const answer of [lags, completeness, alerts, unpriced]) answer.forget();
    },
  });
  const route = createRouter(routes);
  return {
    server: createServer((request, response) => void route(request, response)),
    close: () => tail.close(),
  };
}

function pricingOf({ config, client, store, prices }: ClusterApiOptions): Pricing {
  const { kafkaPrefix: prefix, kafkaPartitions: partitions } = config;
  const topic = topicsOf(layoutOf(config)).reprices;
  const board = new RepriceBoard({ client, topic, partitions });
  return {
    repricer: repriceDesk({ client, prefix, topic, partitions, board, store, prices: prices.book }),
    priceList: () => listStatus(prices),
  };
}

/** Seconds that each part is behind in its partition that is behind most, in the order in which they feed each other. */
function lagsByPart(lags: readonly PartLag[]): ReadonlyMap<string, number> {
  const byPart = new Map<string, number>();
  for (const { name, seconds } of lags) byPart.set(name, Math.max(byPart.get(name) ?? 0, seconds ?? 0));
  return byPart;
}

/** Of the oldest acknowledged span that cannot be queried yet. */
function storedLag(lags: ReadonlyMap<string, number>): number {
  return Math.max(lags.get("resolver") ?? 0, lags.get("writer") ?? 0);
}

function lagCheck(what: string, seconds: number): Check {
  const advice = `start more of --role ${what.split("-")[0]}, or see what their logs say`;
  return check(`lag of ${what}`, seconds > lagSecondsWarn ? "warn" : "ok", `${seconds} s`, advice);
}

function pricesCheck(share: number | null): Check {
  const detail = share === null ? "no calls in the last day" : `${(share * 100).toFixed(2)} % of calls unpriced`;
  const isBad = share !== null && share > 0.01;
  return check("prices", isBad ? "warn" : "ok", detail, "see which with burnwatch models");
}

interface Kept<Answer> {
  ask(): Promise<Answer>;
  /** The next question is asked anew. */
  forget(): void;
}

/** An answer, asked anew when it is older than that; a failed one is asked anew at once. */
function kept<Answer>(forMs: number, question: () => Promise<Answer>): Kept<Answer> {
  let last: { readonly atMs: number; readonly answer: Promise<Answer> } | undefined;
  return {
    ask() {
      if (last !== undefined && now() - last.atMs <= forMs) return last.answer;
      const asked = { atMs: now(), answer: question() };
      last = asked;
      asked.answer.catch(() => {
        if (last === asked) last = undefined;
      });
      return asked.answer;
    },
    forget() {
      last = undefined;
    },
  };
}
