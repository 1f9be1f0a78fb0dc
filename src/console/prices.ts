/** `burnwatch prices add|list|check`: the user's own price list. */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Document, isSeq, parseDocument } from "yaml";
import { z } from "zod";
import { nearestName } from "../model/nearest-name.ts";
import { PriceListError, parsePriceList } from "../pricing/price-list-file.ts";
import { canonicalProvider } from "../pricing/provider-names.ts";
import { type ApiClient, ApiError, createApiClient } from "./api-client.ts";
import { apiOption, type CommandIo, defineCommand, UsageError } from "./command.ts";
import { modelsSchema } from "./models.ts";
import { renderTable, tableOptions } from "./table.ts";

const actions = ["add", "list", "check"] as const;
const statusSchema = z.object({ file: z.string(), version: z.string().nullable(), entries: z.number() });

/** Options of `add` that become amounts per million tokens. */
const perMillionOptions = {
  input: "input",
  output: "output",
  "cache-read": "cache_read",
  "cache-write": "cache_write",
  "cache-write-1h": "cache_write_1h",
  reasoning: "reasoning",
} as const;
const entryOptions = {
  provider: "provider",
  tenant: "tenant",
  from: "from",
  to: "to",
  currency: "currency",
  "per-call": "per_call",
} as const;

/** The price list of one's own. */
export const prices = defineCommand({
  name: "prices",
  summary: "Your own price list: add an entry, list them, check the file.",
  positional: "add|list|check",
  about: `The list is a YAML file (config key prices, BURNWATCH_PRICES, else DATA/prices.yaml). A running server reads it again
within two seconds. An entry of a tenant comes before one for everybody, yours before the bundled list; the exact model before
a prefix (acme-*). Amounts are exact, per million tokens. The file also takes tiers, service_tiers, times (of day, in a time
zone), gpu (rent by the hour over measured throughput), platform (a fixed cost over a volume), per_image, per_audio_second
and exchange; src/pricing/price-list.example.yaml shows each.`,
  options: {
    model: { type: "string", value: "NAME", help: "add: the model, or a prefix with a star" },
    provider: { type: "string", value: "NAME", help: "add: only of this provider" },
    tenant: { type: "string", value: "NAME", help: "add: a contract of this tenant" },
    from: { type: "string", value: "TIME", help: "add: valid from, included: 2026-01-31 or RFC 3339" },
    to: { type: "string", value: "TIME", help: "add: valid to, excluded" },
    currency: {
      type: "string",
      value: "EUR",
      help: "add: of the amounts; other than USD needs an exchange rate in the file",
    },
    input: { type: "string", value: "2.50", help: "add: per million input tokens" },
    output: { type: "string", value: "10", help: "add: per million output tokens" },
    "cache-read": { type: "string", value: "1.25", help: "add: per million tokens read from a cache (as input)" },
    "cache-write": {
      type: "string",
      value: "3.75",
      help: "add: per million written to a cache for 5 minutes (as input)",
    },
    "cache-write-1h": { type: "string", value: "6", help: "add: per million written for an hour (as cache-write)" },
    reasoning: { type: "string", value: "10", help: "add: per million reasoning tokens (as output)" },
    "per-call": { type: "string", value: "0.01", help: "add: per call" },
    file: { type: "string", value: "FILE", help: "the list (the running server's)" },
    json: { type: "boolean", help: "the answer as JSON" },
    ...apiOption,
  },
  examples: [
    "burnwatch prices add --model acme-finetune-7 --input 3.75 --output 15",
    "burnwatch prices add --model 'gpt-4o*' --provider openai --tenant acme --from 2026-01-01 --input 2.25 --output 9",
    "burnwatch prices list",
    "burnwatch prices check --file prices.yaml",
  ],
  async run({ values, positionals }, io) {
    const [action = ""] = positionals;
    if (!(actions as readonly string[]).includes(action)) {
      const nearest = nearestName(action, actions);
      throw new UsageError(
        `"${action}" is none of ${actions.join(", ")}${nearest === undefined ? "" : `, did you mean ${nearest}?`}`,
      );
    }
    const client = createApiClient({ api: values.api, env: io.env, signal: io.signal });
    const file = values.file ?? (await client.json({ path: "prices" }, statusSchema)).file;
    if (action === "add") return add(file, values, client, io);
    return show(file, { json: values.json === true, rows: action === "list" }, io);
  },
});

type Values = Readonly<Record<string, string | boolean | undefined>>;

async function add(file: string, values: Values, client: ApiClient, io: CommandIo): Promise<number> {
  const model = values["model"];
  if (typeof model !== "string") throw new UsageError("--model is needed");
  const document = parseDocument(textOf(file) ?? "# Prices of your own: burnwatch prices --help\n");
  appendEntry(document, entryOf(model, values), file);
  const text = document.toString({ lineWidth: 0 });
  checked(text, file);
  mkdirSync(dirname(file), { recursive: true });
  // Whole or not at all: the server reads the file whenever it changes.
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
  const past = await pastCalls(client, { model, provider: values["provider"], tenant: values["tenant"] });
  if (values["json"] === true) {
    io.stdout.write(
      `${JSON.stringify({ file, unpriced_calls: past?.unpriced ?? null, calls: past?.calls ?? null })}\n`,
    );
    return 0;
  }
  io.stdout.write(`added to ${file}\n`);
  if (past === undefined) io.stdout.write("no server answers: how many past calls it prices is not known\n");
  else
    io.stdout.write(
      `${past.calls.toLocaleString("en-US")} calls of the last 90 days are of this model, ${past.unpriced.toLocaleString("en-US")} of them without a price\n`,
    );
  io.stdout.write(`next: burnwatch reprice --since 90d --dry-run\n`);
  return 0;
}

function entryOf(model: string, values: Values): Record<string, unknown> {
  const given = (names: Readonly<Record<string, string>>) =>
    Object.entries(names).flatMap(([option, key]) =>
      typeof values[option] === "string" ? [[key, values[option]] as const] : [],
    );
  const perMillion = Object.fromEntries(given(perMillionOptions));
  const entry = { model, ...Object.fromEntries(given(entryOptions)) };
  return Object.keys(perMillion).length === 0 ? entry : { ...entry, per_million: perMillion };
}

/** Amounts are written as they were given, digit by digit, without quotes. */
function appendEntry(document: Document, entry: Record<string, unknown>, file: string): void {
  if (document.errors.length > 0) checked(document.toString({}), file);
  const list = document.get("prices");
  if (list === undefined || list === null) document.set("prices", document.createNode([]));
  const prices = document.get("prices");
  if (!isSeq(prices)) throw new ApiError(`${file}: prices: expected a list`);
  prices.flow = false;
  prices.add(parseDocument(plainYaml(entry)).contents);
}

function plainYaml(entry: Record<string, unknown>, indent = ""): string {
  return Object.entries(entry)
    .map(([key, value]) =>
      typeof value === "object"
        ? `${indent}${key}:\n${plainYaml(value as Record<string, unknown>, `${indent}  `)}`
        : `${indent}${key}: ${/^[\w.:+-]+$/.test(String(value)) ? value : JSON.stringify(value)}\n`,
    )
    .join("");
}

function show(file: string, { json, rows }: { readonly json: boolean; readonly rows: boolean }, io: CommandIo): number {
  const text = textOf(file);
  if (text === undefined) throw new ApiError(`there is no price list ${file}`, { hint: "burnwatch prices add --help" });
  const { entries, version } = checked(text, file);
  const date = (us: number) => (Number.isFinite(us) ? new Date(us / 1000).toISOString() : "");
  const shown = entries.map((entry) => ({
    model: entry.isPrefix ? `${entry.model}*` : entry.model,
    provider: entry.provider,
    tenant: entry.tenant,
    from: date(entry.fromUs),
    to: date(entry.toUs),
    currency: entry.currency,
  }));
  if (json) {
    io.stdout.write(`${JSON.stringify({ file, version, entries: shown })}\n`);
    return 0;
  }
  if (rows) {
    const titles = ["model", "provider", "tenant", "from", "to", "currency"] as const;
    const cells = shown.map((row) => titles.map((title) => row[title]));
    io.stdout.write(
      renderTable(
        titles.map((title) => ({ title })),
        cells,
        tableOptions(io.stdout, io.env),
      ),
    );
  }
  io.stdout.write(`${file}: ${entries.length} prices, version ${version}\n`);
  return 0;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ApiError(`${file}: ${(error as Error).message}`);
  }
}

function checked(text: string, file: string) {
  try {
    return parsePriceList(text, file);
  } catch (error) {
    if (error instanceof PriceListError) throw new ApiError(`the price list is wrong\n${error.message}`);
    throw error;
  }
}

/** Calls of the last 90 days that an entry is for; undefined without a server. */
async function pastCalls(
  client: ApiClient,
  entry: { readonly model: string; readonly provider: unknown; readonly tenant: unknown },
): Promise<{ readonly calls: number; readonly unpriced: number } | undefined> {
  const query = { since: "90d", tenant: typeof entry.tenant === "string" ? entry.tenant : undefined };
  try {
    const { models } = await client.json({ path: "models", query, timeoutMs: 90_000 }, modelsSchema);
    const prefix = entry.model.endsWith("*") ? entry.model.slice(0, -1) : undefined;
    const meant = models.filter(
      ({ model, provider }) =>
        (prefix === undefined ? model === entry.model : model.startsWith(prefix)) &&
        (typeof entry.provider !== "string" || canonicalProvider(entry.provider) === canonicalProvider(provider)),
    );
    return {
      calls: meant.reduce((sum, { calls }) => sum + calls, 0),
      unpriced: meant.reduce((sum, { unpriced_calls }) => sum + unpriced_calls, 0),
    };
  } catch (error) {
    if (error instanceof ApiError && error.status === undefined) return undefined;
    throw error;
  }
}
