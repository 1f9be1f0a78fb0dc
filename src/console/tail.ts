/** `burnwatch tail`: calls as they arrive. */

import { z } from "zod";
import { displayUsd, parseUsd } from "../model/money.ts";
import { sleep } from "../replay/sleep.ts";
import { type ApiClient, ApiError, createApiClient } from "./api-client.ts";
import { apiOption, type CommandIo, defineCommand } from "./command.ts";
import { cut, plainText, tableOptions } from "./table.ts";

const callSchema = z.object({
  at: z.string(),
  service: z.string().nullish(),
  feature: z.string().nullish(),
  model: z.string().nullish(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  cost_usd: z.string().nullable(),
  status: z.string().optional(),
});

/** Of a reader that was too slow for a while. */
const skippedSchema = z.object({ skipped: z.number() });

const pauseMsFirst = 500;
const pauseMsMost = 10_000;
/** One call as JSON is under a kilobyte; a stream without line ends must not fill the memory. */
const lineCharactersMax = 1 << 20;

/** Follows the server's calls until ^C. */
export const tail = defineCommand({
  name: "tail",
  summary: "Calls as they arrive: time, service, feature, model, tokens, cost. Ends with ^C.",
  options: {
    json: { type: "boolean", help: "each call as a line of JSON" },
    ...apiOption,
  },
  examples: ["burnwatch tail", "burnwatch tail --json | jq 'select(.cost_usd == null)'"],
  async run({ values }, io) {
    const client = createApiClient({ api: values.api, env: io.env, signal: io.signal });
    const show = values.json === true ? (line: string) => io.stdout.write(`${line}\n`) : callPrinter(io);
    // The first failure ends the command; once it has been connected, the server's restarts are waited out.
    let connection: Response | undefined = await client.raw(request);
    while (connection !== undefined) {
      const reason = await follow(connection, show);
      if (io.signal.aborted) return 0;
      io.stderr.write(`burnwatch tail: the connection ended (${reason}), trying again\n`);
      connection = await reconnect(client, io.signal);
      if (connection !== undefined)
        io.stderr.write("burnwatch tail: connected again, calls in between are not shown\n");
    }
    return 0;
  },
});

const request = { path: "tail", timeoutMs: "none" } as const;

/** Shows every line until the connection ends; says why it did. Blank lines keep it open and are not shown. */
async function follow(connection: Response, show: (line: string) => void): Promise<string> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of connection.body ?? []) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > lineCharactersMax) return "a line is too long";
      for (const line of lines) if (line.trim() !== "") show(line);
    }
    return "the server closed it";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function reconnect(client: ApiClient, signal: AbortSignal): Promise<Response | undefined> {
  for (let pauseMs = pauseMsFirst; ; pauseMs = Math.min(pauseMsMost, pauseMs * 2)) {
    await sleep(pauseMs, signal);
    if (signal.aborted) return undefined;
    try {
      return await client.raw(request);
    } catch (error) {
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      if (refused || !(error instanceof ApiError)) throw error;
    }
  }
}

const widths = { time: 12, name: 16, model: 26, count: 9 } as const;

/** Prints a call as a line of aligned columns, under a header that is printed before the first. */
function callPrinter(io: CommandIo): (line: string) => void {
  const { width } = tableOptions(io.stdout, io.env);
  const print = (cells: readonly [string, string, string, string, string, string, string]) => {
    const [time, service, feature, model, input, output, cost] = cells;
    const left = [
      pad(time, widths.time),
      pad(service, widths.name),
      pad(feature, widths.name),
      pad(model, widths.model),
    ];
    const right = [input, output, cost].map((text) => text.padStart(widths.count));
    const line = [...left, ...right].join("  ");
    io.stdout.write(`${width === undefined ? line : cut(line, width)}\n`);
  };
  let first = true;
  return (line) => {
    if (first) print(["time", "service", "feature", "model", "input", "output", "cost"]);
    first = false;
    const content = parseJson(line);
    const skipped = skippedSchema.safeParse(content);
    if (skipped.success) {
      io.stderr.write(`burnwatch tail: ${skipped.data.skipped} calls are not shown, they came too fast\n`);
      return;
    }
    const call = callSchema.safeParse(content);
    if (!call.success) {
      io.stderr.write(`burnwatch tail: not understood: ${plainText(line).slice(0, 200)}\n`);
      return;
    }
    const {
      at,
      service,
      feature,
      model,
      input_tokens: input,
      output_tokens: output,
      cost_usd: cost,
      status,
    } = call.data;
    const shownCost = cost === null ? "unknown" : displayUsd(parseUsd(cost));
    const error = status === "error" ? "  error" : "";
    print([
      clock(at),
      service ?? "",
      feature ?? "",
      model ?? "",
      input.toLocaleString("en-US"),
      output.toLocaleString("en-US"),
      shownCost.padStart(widths.count) + error,
    ]);
  };
}

function pad(text: string, width: number): string {
  return cut(plainText(text), width).padEnd(width);
}

/** Local time of day to the millisecond. */
function clock(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return plainText(time);
  const two = (value: number) => String(value).padStart(2, "0");
  const millis = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The schema refuses it, and the line is shown as not understood.
  }
}
