/** The HTTP API: the only way to ask, since the engine locks its directory. */

import type { ServerResponse } from "node:http";
import { z } from "zod";
import type { TokenComparison } from "../ingest/metrics/token-check.ts";
import { askSql } from "../query/ask-sql.ts";
import { type CostRequest, cost } from "../query/cost.ts";
import { dimensions } from "../query/dimensions.ts";
import { type QueryLimits, type Store, StoreRefusal } from "../store/store.ts";
import { type AlertRoutesOptions, alertRoutes } from "./alert-routes.ts";
import { notInCluster, RequestError, sendJson, sendText } from "./answer.ts";
import { parseTime } from "./duration.ts";
import { instrumentationRoute } from "./instrumentation-package.ts";
import type { Metrics } from "./metrics.ts";
import { type PriceRoutesOptions, priceRoutes } from "./price-routes.ts";
import { openApi, type Route } from "./router.ts";

export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly advice: string;
}

export interface ApiOptions extends PriceRoutesOptions, AlertRoutesOptions {
  readonly version: string;
  readonly metrics: Metrics;
  /** Shows calls to one more. @throws RequestError where they cannot be followed. */
  readonly follow: (response: ServerResponse) => void | Promise<void>;
  readonly rawRetentionDays: number;
  readonly status: () => Promise<Record<string, unknown>>;
  readonly ready: () => string | null;
  readonly checks: () => Promise<readonly Check[]>;
  readonly tokens: () => Promise<readonly TokenComparison[]>;
  /** Resolves once everything acknowledged before the call can be queried and was judged; rejects after the time. */
  readonly settle: (timeoutMs: number) => Promise<void>;
  /** Null in a cluster: what no process of it knows is answered as such. */
  readonly producer:
    | ((id: string) => { readonly rejected: number; readonly reasons: Readonly<Record<string, number>> })
    | null;
}

/** Of one statement of a user's own. */
const sqlLimits: QueryLimits = { seconds: 30, rows: 1_000_000, memoryBytes: 2_000_000_000 };

const oneOrMore = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (Array.isArray(value) ? value : [value]));

export function apiRoutes(options: ApiOptions): readonly Route[] {
  const routes: Route[] = [
    ...operateRoutes(options),
    ...askRoutes(options),
    ...alertRoutes(options),
    ...replayRoutes(options),
    ...priceRoutes(options),
    instrumentationRoute(),
  ];
  routes.push({
    method: "GET",
    path: "/api/v1/openapi.json",
    summary: "This API as an OpenAPI 3.1 document.",
    serve: async ({ response }) => sendJson(response, openApi(routes, options.version)),
  });
  return routes;
}

function operateRoutes({ ready, metrics, status, checks, quality, tokens }: ApiOptions): Route[] {
  return [
    {
      method: "GET",
      path: "/healthz",
      summary: "Answers while the process lives.",
      serve: async ({ response }) => sendText(response, { contentType: "text/plain", body: "ok\n" }),
    },
    {
      method: "GET",
      path: "/readyz",
      summary: "200 while spans are taken, resolved, stored and judged; else 503 with the reason.",
      serve: async ({ response }) => {
        const reason = ready();
        sendText(response, {
          status: reason === null ? 200 : 503,
          contentType: "text/plain",
          body: `${reason ?? "ready"}\n`,
        });
      },
    },
    {
      method: "GET",
      path: "/metrics",
      summary: "Metrics in the Prometheus text format.",
      serve: async ({ response }) =>
        sendText(response, { contentType: metrics.registry.contentType, body: await metrics.registry.metrics() }),
    },
    {
      method: "GET",
      path: "/api/v1/status",
      summary: "Offsets, lag, retention, identity horizon and versions.",
      serve: async ({ response }) => sendJson(response, await status()),
    },
    {
      method: "GET",
      path: "/api/v1/doctor",
      summary: "What is wrong with this installation.",
      serve: async ({ response }) => sendJson(response, { checks: await checks() }),
    },
    {
      method: "GET",
      path: "/api/v1/completeness",
      summary: "Records numbered and arrived; tokens that metrics count and spans bring, in the last hour, by service.",
      serve: async ({ response }) => sendJson(response, { tokens: await tokens(), ...(await quality()) }),
    },
  ];
}

function askRoutes(options: ApiOptions): Route[] {
  const { store, now, quality, follow } = options;
  return [
    {
      method: "GET",
      path: "/api/v1/cost",
      summary: "Calls, tokens and cost by any dimensions.",
      query: z.strictObject({
        by: z
          .string()
          .default("model")
          .describe(`comma-separated: ${dimensions.join(", ")}`),
        since: z.string().default("24h").describe("24h, 7d, RFC 3339 or epoch milliseconds"),
        until: z.string().optional(),
        where: oneOrMore.optional().describe("dimension=value, repeatable"),
        limit: z.coerce.number().int().min(1).max(100_000).default(1000),
        split: z.enum(["0", "1"]).default("1").describe("0 leaves out what the costs are made of, and is faster"),
      }),
      serve: async ({ response, query }) => {
        const rows = await cost(store, costRequest(query, now())).catch(badRequest);
        const unpriced = rows.reduce((sum, row) => sum + row.unpriced_calls, 0);
        const calls = rows.reduce((sum, row) => sum + row.calls, 0);
        sendJson(response, { rows, ...(await quality()), unpriced_share: calls === 0 ? null : unpriced / calls });
      },
    },
    {
      method: "POST",
      path: "/api/v1/sql",
      summary: "One SELECT, SHOW, DESCRIBE or EXPLAIN, answered in a ClickHouse format.",
      body: z.strictObject({ query: z.string().min(1).max(100_000), format: z.string().default("JSON") }),
      serve: async ({ response, body }) => {
        const { query, format } = body as { query: string; format: string };
        const answer = await askSql(store, query, format, sqlLimits).catch(badRequest);
        const { completeness, unpriced_share, lag_seconds, missing_spans } = await quality();
        sendText(response, {
          contentType: contentTypeOf(answer.format),
          body: answer.bytes,
          headers: {
            "x-burnwatch-completeness": String(completeness),
            "x-burnwatch-unpriced-share": String(unpriced_share),
            "x-burnwatch-lag-seconds": String(lag_seconds),
            ...(missing_spans === null ? {} : { "x-burnwatch-missing-spans": encodeURIComponent(missing_spans) }),
          },
        });
      },
    },
    {
      method: "GET",
      path: "/api/v1/tail",
      summary: "Calls as they are resolved, one JSON object a line, until the connection is closed.",
      serve: async ({ response }) => follow(response),
    },
  ];
}

function replayRoutes({ store, settle, producer }: ApiOptions): Route[] {
  return [
    {
      method: "POST",
      path: "/api/v1/settle",
      summary: "Waits until everything acknowledged so far can be queried and was judged.",
      body: z.strictObject({ timeout_seconds: z.number().min(0).max(600).default(120) }),
      serve: async ({ response, body }) => {
        await settle(Number(body["timeout_seconds"]) * 1000).catch((error: Error) => {
          throw new RequestError(504, error.message, "ask /api/v1/status what is behind");
        });
        sendJson(response, { settled: true });
      },
    },
    {
      method: "GET",
      path: "/api/v1/replays/{prefix}",
      summary: "What is stored of a replay, by the first 16 hex digits of its trace ids.",
      serve: async ({ response, segments }) => sendJson(response, await replayTotals(store, segments["prefix"] ?? "")),
    },
    {
      method: "GET",
      path: "/api/v1/producers/{id}",
      summary: "Spans refused to one producer since this server started, by reason.",
      serve: async ({ response, segments }) =>
        producer === null
          ? notInCluster("counting refusals by producer", "see burnwatch_spans_rejected_total of each collector")
          : sendJson(response, producer(segments["id"] ?? "")),
    },
  ];
}

async function replayTotals(store: Store, prefix: string): Promise<Record<string, unknown>> {
  if (!/^[0-9a-f]{16}$/.test(prefix)) throw new RequestError(400, `"${prefix}" is not 16 hex digits`);
  const [row] = await store.query<Record<string, string | null>>(
    `SELECT count() AS accepted, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
       sum(cost_usd) AS cost_usd, sum(unpriced_calls) AS unpriced_calls
     FROM usage WHERE startsWith(trace_id, {prefix:String})`,
    { params: { prefix } },
  );
  return {
    accepted: Number(row?.["accepted"] ?? 0),
    input_tokens: Number(row?.["input_tokens"] ?? 0),
    output_tokens: Number(row?.["output_tokens"] ?? 0),
    cost_usd: row?.["cost_usd"] ?? null,
    unpriced_calls: Number(row?.["unpriced_calls"] ?? 0),
  };
}

function costRequest(query: Readonly<Record<string, unknown>>, nowMs: number): CostRequest {
  const time = (name: string, text: string) => {
    const at = parseTime(text, nowMs);
    if (at === undefined)
      throw new RequestError(
        400,
        `${name}: "${text}" is no time`,
        "use 24h, 7d, 2026-01-31T12:00:00Z or epoch milliseconds",
      );
    return at;
  };
  const pairs = ((query["where"] as string[] | undefined) ?? []).map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new RequestError(400, `where: "${pair}" is no dimension=value`, "for example where=tenant=acme");
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  return {
    by: String(query["by"])
      .split(",")
      .map((name) => name.trim()),
    sinceMs: time("since", String(query["since"])),
    untilMs: query["until"] === undefined ? nowMs + 3_600_000 : time("until", String(query["until"])),
    where: Object.fromEntries(pairs),
    split: query["split"] === "1",
    limit: Number(query["limit"]),
  };
}

function contentTypeOf(format: string): string {
  if (/^(JSON|PrettyJSON)/.test(format)) return "application/json";
  return /^(Parquet|Arrow|Native|RowBinary|ORC|Avro|Npy|MsgPack|Protobuf)/.test(format)
    ? "application/octet-stream"
    : "text/plain; charset=utf-8";
}

/** What the engine or the gate refuses is the asker's mistake: told as such, with the message. */
function badRequest(error: unknown): never {
  if (error instanceof RequestError || error instanceof StoreRefusal) throw error;
  throw new RequestError(
    400,
    error instanceof Error ? error.message : String(error),
    (error as { hint?: string }).hint ?? "",
  );
}
