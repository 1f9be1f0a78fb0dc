/** The API's pages about prices: models seen, the user's list, re-pricing. */

import { z } from "zod";
import { formatUsd } from "../model/money.ts";
import { PriceListError } from "../pricing/price-list-file.ts";
import { models } from "../query/models.ts";
import type { DifferenceRow } from "../repricing/reprice-difference.ts";
import { RepriceConflictError, type RepriceJob } from "../repricing/reprice-job.ts";
import { type RepriceRange, UnknownConditionError } from "../repricing/reprice-range.ts";
import type { Repricer } from "../repricing/repricer.ts";
import type { Store } from "../store/store.ts";
import { RequestError, sendJson } from "./answer.ts";
import { parseTime } from "./duration.ts";
import type { Route } from "./router.ts";

/** The user's list as the server has it. */
export interface PriceListStatus {
  readonly file: string;
  /** Null where there is no list. */
  readonly version: string | null;
  readonly entries: number;
}

/** What prices calls. */
export interface Pricing {
  /** Reads the list again if it has changed, then says what it is. */
  readonly priceList: () => PriceListStatus;
  readonly repricer: Pick<Repricer, "difference" | "apply"> & {
    /** The newest re-pricing, running or finished. */
    job(): RepriceJob | undefined | Promise<RepriceJob | undefined>;
  };
}

export interface PriceRoutesOptions {
  readonly store: Store;
  readonly now: () => number;
  readonly pricing: Pricing;
}

const time = z.string().min(1);
const range = {
  since: time.describe("24h, 7d, RFC 3339 or epoch milliseconds"),
  until: time.optional().describe("now, where absent"),
  where: z.record(z.string(), z.string()).default({}).describe("dimension: value"),
};

export function priceRoutes({ store, now, pricing }: PriceRoutesOptions): Route[] {
  const { priceList, repricer } = pricing;
  const rangeOf = (body: Readonly<Record<string, unknown>>): RepriceRange => ({
    sinceUs: instant("since", String(body["since"]), now()) * 1000,
    untilUs: (body["until"] === undefined ? now() : instant("until", String(body["until"]), now())) * 1000,
    where: body["where"] as Record<string, string>,
  });
  return [
    {
      method: "GET",
      path: "/api/v1/models",
      summary: "Models that were called, how each was priced and since when; unpriced ones first.",
      query: z.strictObject({ since: time.default("7d"), tenant: z.string().optional() }),
      serve: async ({ response, query }) => {
        const sinceMs = instant("since", String(query["since"]), now());
        const tenant = query["tenant"] as string | undefined;
        sendJson(response, { models: await models(store, { sinceMs, tenant }) });
      },
    },
    {
      method: "GET",
      path: "/api/v1/prices",
      summary: "The user's own price list: its file, version and number of entries.",
      serve: async ({ response }) => sendJson(response, priceList()),
    },
    {
      method: "POST",
      path: "/api/v1/reprices/difference",
      summary: "What re-pricing a range would change, by tenant and model. Changes nothing.",
      body: z.strictObject(range),
      serve: async ({ response, body }) => {
        priceList();
        const { rows, calls, priceVersion } = await repricer.difference(rangeOf(body)).catch(refused);
        sendJson(response, { price_version: priceVersion, calls, rows: rows.map(differenceJson) });
      },
    },
    {
      method: "POST",
      path: "/api/v1/reprices",
      summary: "Corrects the prices of a range; answers once that is certain to happen. Ask for the id how far it is.",
      body: z.strictObject({ ...range, price_version: z.string(), by: z.string().max(256).default("") }),
      serve: async ({ response, body }) => {
        priceList();
        const asked = { by: String(body["by"]), priceVersion: String(body["price_version"]) };
        sendJson(response, jobJson(await repricer.apply(rangeOf(body), asked).catch(refused)));
      },
    },
    {
      method: "GET",
      path: "/api/v1/reprices/{id}",
      summary: "How far a re-pricing is; those of the past are in the table `reprices`.",
      serve: async ({ response, segments }) => {
        const job = await repricer.job();
        if (job === undefined || job.id !== segments["id"])
          throw new RequestError(404, `no re-pricing ${segments["id"]} runs`, "see the table reprices");
        sendJson(response, jobJson(job));
      },
    },
  ];
}

function instant(name: string, text: string, nowMs: number): number {
  const at = parseTime(text, nowMs);
  if (at !== undefined) return at;
  throw new RequestError(
    400,
    `${name}: "${text}" is no time`,
    "use 24h, 7d, 2026-01-31T12:00:00Z or epoch milliseconds",
  );
}

function refused(error: unknown): never {
  if (error instanceof UnknownConditionError) throw new RequestError(400, error.message);
  if (error instanceof RepriceConflictError) throw new RequestError(409, error.message);
  if (error instanceof PriceListError) throw new RequestError(409, error.message, "mend the price list");
  throw error;
}

function differenceJson(row: DifferenceRow): Record<string, unknown> {
  return {
    tenant: row.tenant,
    provider: row.provider,
    model: row.model,
    calls: row.calls,
    unpriced_before: row.unpricedBefore,
    unpriced_after: row.unpricedAfter,
    cost_before_usd: formatUsd(row.beforeNanoUsd),
    cost_after_usd: formatUsd(row.afterNanoUsd),
  };
}

function jobJson(job: RepriceJob): Record<string, unknown> {
  const done = job.finishedAtMs !== null;
  const rangeUs = Math.max(1, job.untilUs - job.sinceUs);
  return {
    id: job.id,
    finished: done,
    progress: done ? 1 : Math.min(1, (job.cursorUs - job.sinceUs) / rangeUs),
    calls: job.calls,
    cost_before_usd: formatUsd(BigInt(job.beforeNanoUsd)),
    cost_after_usd: formatUsd(BigInt(job.afterNanoUsd)),
  };
}
