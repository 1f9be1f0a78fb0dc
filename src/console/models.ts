/** `burnwatch models`: which models were called, and how each is priced. */

import { z } from "zod";
import { displayUsd, parseUsd } from "../model/money.ts";
import { createApiClient } from "./api-client.ts";
import { apiOption, defineCommand } from "./command.ts";
import { type Column, renderTable, tableOptions } from "./table.ts";

const dollars = z.string().nullable();

/** What `/api/v1/models` answers. */
export const modelsSchema = z.object({
  models: z.array(
    z.object({
      provider: z.string(),
      model: z.string(),
      calls: z.number(),
      input_tokens: z.number(),
      output_tokens: z.number(),
      cost_usd: dollars,
      unpriced_calls: z.number(),
      unpriced_tokens: z.number(),
      divergence: z.number().nullable(),
      diverging_calls: z.number(),
      prices: z.array(
        z.object({
          status: z.string(),
          source: z.string().nullable(),
          version: z.string().nullable(),
          listed_since: z.string().nullable(),
          first_call: z.string(),
          calls: z.number(),
          cost_usd: dollars,
        }),
      ),
    }),
  ),
});

type Model = z.infer<typeof modelsSchema>["models"][number];

const columns: readonly Column[] = [
  { title: "provider" },
  { title: "model" },
  { title: "calls", align: "right" },
  { title: "tokens", align: "right" },
  { title: "unpriced tokens", align: "right" },
  { title: "cost", align: "right" },
  { title: "emitter's", align: "right" },
  { title: "priced by" },
  { title: "since" },
];

/** Models seen, unpriced first. */
export const models = defineCommand({
  name: "models",
  summary: "Models that were called: how priced, from which source and since when; unpriced first.",
  about: `priced by: contract and own are entries of your price list, bundled the list that comes along, reported the
emitter's own figure. since: from when that price is listed, or the first call that was priced so. emitter's: how far the
cost that the producer reported is from ours, where it reported one.`,
  options: {
    since: { type: "string", value: "7d", help: "calls from so long ago, or an RFC 3339 time (7d)" },
    tenant: { type: "string", value: "NAME", help: "calls of this tenant only" },
    json: { type: "boolean", help: "the answer as JSON" },
    ...apiOption,
  },
  examples: ["burnwatch models", "burnwatch models --since 30d --tenant acme", "burnwatch models --json"],
  async run({ values }, io) {
    const { since = "7d", tenant, json } = values;
    const client = createApiClient({ api: values.api, env: io.env, signal: io.signal });
    const answer = await client.json({ path: "models", query: { since, tenant }, timeoutMs: 90_000 }, modelsSchema);
    if (json === true) {
      io.stdout.write(`${JSON.stringify(answer)}\n`);
      return 0;
    }
    if (answer.models.length === 0) {
      io.stdout.write(`No calls since ${since}.\n`);
      return 0;
    }
    io.stdout.write(renderTable(columns, answer.models.map(cells), tableOptions(io.stdout, io.env)));
    const [first] = answer.models;
    if (first !== undefined && first.unpriced_tokens > 0)
      io.stdout.write(
        `give ${first.model} a price: burnwatch prices add --model ${first.model} --input 2.50 --output 10\n`,
      );
    return 0;
  },
});

function cells(model: Model): readonly string[] {
  const count = (value: number) => value.toLocaleString("en-US");
  const [newest] = model.prices;
  return [
    model.provider || "(none)",
    model.model || "(none)",
    count(model.calls),
    count(model.input_tokens + model.output_tokens),
    count(model.unpriced_tokens),
    model.cost_usd === null ? "unknown" : displayUsd(parseUsd(model.cost_usd)),
    model.divergence === null ? "" : `${model.divergence >= 0 ? "+" : ""}${(model.divergence * 100).toFixed(1)} %`,
    newest === undefined ? "" : [newest.source ?? newest.status, newest.version ?? ""].join(" ").trim(),
    newest === undefined ? "" : (newest.listed_since ?? newest.first_call).slice(0, 10),
  ];
}
