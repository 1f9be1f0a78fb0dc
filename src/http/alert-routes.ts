/** The API's pages about alerts: what fires, and that it is the new normal. */

import { z } from "zod";
import { formatAmount } from "../model/amount.ts";
import type { Alert } from "../model/finding.ts";
import { formatUsd } from "../model/money.ts";
import { RequestError, sendJson } from "./answer.ts";
import type { Quality } from "./quality.ts";
import type { Route } from "./router.ts";

export interface AlertRoutesOptions {
  readonly alerts: () => readonly Alert[] | Promise<readonly Alert[]>;
  readonly quality: () => Promise<Quality>;
  /** Says that a firing alert is the new normal; resolves when that is certain to be heard. */
  readonly accept: (alert: Alert) => Promise<void>;
}

export function alertRoutes({ alerts, quality, accept }: AlertRoutesOptions): Route[] {
  return [
    {
      method: "GET",
      path: "/api/v1/alerts",
      summary: "Alerts that are firing; with all=1 also the resolved ones.",
      query: z.strictObject({ all: z.enum(["0", "1"]).default("0") }),
      serve: async ({ response, query }) => {
        const shown = (await alerts()).filter((alert) => query["all"] === "1" || alert.status === "firing");
        sendJson(response, { alerts: shown.map(alertJson), ...(await quality()) });
      },
    },
    {
      method: "POST",
      path: "/api/v1/alerts/{fingerprint}/accept",
      summary: "Says that a firing alert is the new normal: it ends, and its baselines begin anew.",
      body: z.strictObject({}),
      serve: async ({ response, segments }) => {
        const fingerprint = segments["fingerprint"] ?? "";
        const alert = (await alerts()).find((each) => each.fingerprint === fingerprint);
        if (alert === undefined)
          throw new RequestError(404, `no alert has the fingerprint "${fingerprint}"`, "burnwatch alerts shows them");
        if (alert.status !== "firing")
          throw new RequestError(409, `alert ${fingerprint} is over: there is nothing to accept`);
        await accept(alert);
        sendJson(response, { accepted: true, alert: alertJson(alert) }, 202);
      },
    },
  ];
}

/** The shape that scripts may rely on (DESIGN section 6). */
export function alertJson(alert: Alert): Record<string, unknown> {
  return {
    fingerprint: alert.fingerprint,
    kind: alert.kind,
    status: alert.status,
    severity: alert.severity,
    labels: alert.labels,
    annotations: alert.annotations,
    starts_at: new Date(alert.startsAtMs).toISOString(),
    ends_at: alert.endsAtMs === null ? null : new Date(alert.endsAtMs).toISOString(),
    observed: formatAmount(alert.observed, alert.unit),
    expected: formatAmount(alert.expected, alert.unit),
    impact_usd: formatUsd(alert.impactNanoUsd),
  };
}
