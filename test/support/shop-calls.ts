/** A minute of a shop's calls as an export request: each of ten users calls each feature once. */

import { randomBytes } from "node:crypto";

export interface ShopMinute {
  readonly features: readonly string[];
  /** Tokens of input of a call of this feature. */
  readonly input: (feature: string) => number;
}

const users = 10;
const minuteMs = 60_000;
const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
const integer = (key: string, value: number) => ({ key, value: { intValue: String(value) } });

/** OTLP/JSON of calls of gpt-4o in the minute that begins at `startMs`, in two prompt versions. */
export function minuteOfCalls(startMs: number, { features, input }: ShopMinute): string {
  const spans = Array.from({ length: users }, (_, user) =>
    features.map((feature) => {
      const atMs = Math.round(startMs + (user * minuteMs) / users / 2);
      return {
        traceId: randomBytes(16).toString("hex"),
        spanId: randomBytes(8).toString("hex"),
        name: "chat gpt-4o",
        kind: 3,
        startTimeUnixNano: `${atMs - 1000}000000`,
        endTimeUnixNano: `${atMs}000000`,
        attributes: [
          text("gen_ai.operation.name", "chat"),
          text("gen_ai.provider.name", "openai"),
          text("gen_ai.request.model", "gpt-4o"),
          text("burnwatch.tenant", "acme"),
          text("burnwatch.feature", feature),
          text("burnwatch.prompt.version", user % 2 === 0 ? "v6" : "v7"),
          text("user.id", `user-${user}`),
          integer("gen_ai.usage.input_tokens", input(feature)),
          integer("gen_ai.usage.output_tokens", 100),
        ],
      };
    }),
  ).flat();
  const resource = { attributes: [text("service.name", "shop")] };
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "test" }, spans }] }] });
}
