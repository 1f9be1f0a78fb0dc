/** The generic webhook: the field names of Alertmanager's and Grafana's webhooks, which every on-call tool parses. */

import type { Alert } from "../model/finding.ts";
import { type Channel, PermanentChannelError } from "./channel.ts";

export interface WebhookOptions {
  readonly url: string;
  /** Where a reader of the alert finds Burnwatch. */
  readonly externalUrl: string;
  readonly timeoutMs?: number;
}

export function webhookChannel(options: WebhookOptions): Channel {
  return {
    name: "webhook",
    async notify(alert) {
      const response = await fetch(options.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(webhookBody(alert, options.externalUrl)),
        signal: AbortSignal.timeout(options.timeoutMs ?? 10_000),
        redirect: "error",
      });
      await response.arrayBuffer();
      if (response.ok) return;
      const message = `webhook answered ${response.status}`;
      const retryable = response.status === 429 || response.status === 408 || response.status >= 500;
      throw retryable ? new Error(message) : new PermanentChannelError(message);
    },
  };
}

export function webhookBody(alert: Alert, externalUrl: string): Record<string, unknown> {
  return {
    version: "4",
    receiver: "burnwatch",
    status: alert.status,
    groupKey: alert.fingerprint,
    groupLabels: alert.labels,
    commonLabels: alert.labels,
    commonAnnotations: alert.annotations,
    externalURL: externalUrl,
    alerts: [
      {
        status: alert.status,
        labels: { ...alert.labels, severity: alert.severity },
        annotations: alert.annotations,
        startsAt: new Date(alert.startsAtMs).toISOString(),
        // Alertmanager's convention for "not ended".
        endsAt: alert.endsAtMs === null ? "0001-01-01T00:00:00Z" : new Date(alert.endsAtMs).toISOString(),
        fingerprint: alert.fingerprint,
        generatorURL: `${externalUrl}/api/v1/alerts`,
      },
    ],
  };
}
