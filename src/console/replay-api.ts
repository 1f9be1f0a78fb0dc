/** What a replay asks the server, over its HTTP API. */

import { z } from "zod";
import type { ServerAnswers } from "../replay/server-answers.ts";
import type { ApiClient } from "./api-client.ts";

const statusSchema = z.object({ raw_retention_days: z.number() });

const storedSchema = z.object({
  accepted: z.number(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  cost_usd: z.string().nullable(),
  unpriced_calls: z.number(),
});

const producerSchema = z.object({ rejected: z.number(), reasons: z.record(z.string(), z.number()) });

/** Everything acknowledged must pass resolver, writer and detection first. */
const settleTimeoutMs = 600_000;

/** The server's answers, by a client. */
export function replayApi(client: ApiClient): ServerAnswers {
  return {
    url: client.url,
    async status() {
      return { rawRetentionDays: (await client.json({ path: "status" }, statusSchema)).raw_retention_days };
    },
    async settle() {
      const body = { timeout_seconds: settleTimeoutMs / 1000 };
      await client.json({ method: "POST", path: "settle", body, timeoutMs: settleTimeoutMs }, z.unknown());
    },
    async replay(set) {
      const stored = await client.json({ path: `replays/${set}` }, storedSchema);
      return {
        accepted: stored.accepted,
        inputTokens: stored.input_tokens,
        outputTokens: stored.output_tokens,
        costUsd: stored.cost_usd,
        unpricedCalls: stored.unpriced_calls,
      };
    },
    producer: (id) => client.json({ path: `producers/${encodeURIComponent(id)}` }, producerSchema),
  };
}
