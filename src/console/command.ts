/** What a command is, and what all of them do alike: options, --help, errors in words, exit codes. */

import { type ParseArgsOptionDescriptor, parseArgs } from "node:util";
import { nearestName } from "../model/nearest-name.ts";
import { ReplayError } from "../replay/replay-error.ts";
import { ApiError } from "./api-client.ts";
import { ClusterError } from "./operated-cluster.ts";

/** A writable stream, as far as commands need one. */
export interface Output {
  /** False where the reader is slow and `drain` should be waited for. */
  write(chunk: string | Uint8Array): unknown;
  once?(event: "drain", listener: () => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** The outside world of a command: streams, environment, ^C. */
export interface CommandIo {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: AsyncIterable<string | Uint8Array> & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the user wants to stop. */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly help: string;
  /** Resolves to the exit code: 0 ok, 1 failure, 2 wrong usage. Does not throw for expected failures. */
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

/** Wrong usage: printed with the usage line, exit code 2. */
export class UsageError extends Error {}

/** An option and its line of help; `value` names what follows it. */
export type Option = ParseArgsOptionDescriptor & { readonly value?: string; readonly help: string };

type Options = Readonly<Record<string, Option>>;

export interface Parsed<O extends Options> {
  readonly values: ReturnType<typeof parseArgs<{ options: O }>>["values"];
  readonly positionals: readonly string[];
}

export interface Definition<O extends Options> {
  readonly name: string;
  readonly summary: string;
  /** What follows the name on the usage line, options aside. */
  readonly positional?: string;
  /** How many of them there may be, where it is more than one. */
  readonly positionalsMax?: number;
  readonly options: O;
  /** Paragraphs between the summary and the options. */
  readonly about?: string;
  readonly examples: readonly string[];
  run(parsed: Parsed<O>, io: CommandIo): Promise<number>;
}

/** Options that every command over the API has. */
export const apiOption = {
  api: { type: "string", value: "URL", help: "where the server's API is (BURNWATCH_URL, http://127.0.0.1:4319)" },
} as const satisfies Options;

const helpOption = { help: { type: "boolean", short: "h", help: "show this" } } as const satisfies Options;

/** A command from its definition: parses, runs, and turns expected errors into words and an exit code. */
export function defineCommand<const O extends Options>(definition: Definition<O>): Command {
  const { name, summary } = definition;
  const usage = `usage: burnwatch ${[name, definition.positional, "[options]"].filter(Boolean).join(" ")}`;
  const help = helpText(definition, usage);
  return {
    name,
    summary,
    help,
    async run(args, io) {
      try {
        const parsed = parse({ ...definition.options, ...helpOption }, args);
        if ((parsed.values as { help?: boolean }).help === true) {
          io.stdout.write(help);
          return 0;
        }
        const extra = parsed.positionals[definition.positionalsMax ?? (definition.positional === undefined ? 0 : 1)];
        if (extra !== undefined) throw new UsageError(`one argument too many: ${extra}`);
        return await definition.run(parsed as Parsed<O>, io);
      } catch (error) {
        return report(error, { usage, name, stderr: io.stderr });
      }
    },
  };
}

function report(
  error: unknown,
  context: { readonly usage: string; readonly name: string; readonly stderr: Output },
): number {
  if (error instanceof UsageError) {
    context.stderr.write(`burnwatch ${context.name}: ${error.message}\n${context.usage}\n`);
    return 2;
  }
  if (error instanceof ApiError || error instanceof ReplayError || error instanceof ClusterError) {
    context.stderr.write(`burnwatch ${context.name}: ${error.message}\n`);
    if (error.hint !== undefined) context.stderr.write(`  ${error.hint}\n`);
    return 1;
  }
  throw error;
}

function parse<O extends Options>(options: O, args: readonly string[]): Parsed<O> {
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  for (const token of tokens) {
    if (token.kind !== "option" || Object.hasOwn(options, token.name)) continue;
    const nearest = nearestName(token.name, Object.keys(options));
    throw new UsageError(
      `unknown option ${token.rawName}${nearest === undefined ? "" : `, did you mean --${nearest}?`}`,
    );
  }
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (error) {
    // What is left is a missing or an unwanted value; Node's first sentence says it well.
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(message.split("\n")[0]);
  }
}

function helpText<O extends Options>(definition: Definition<O>, usage: string): string {
  const options = Object.entries<Option>({ ...definition.options, ...helpOption }).map(([name, option]) => {
    const short = option.short === undefined ? "" : `-${option.short}, `;
    const value = option.type === "string" ? ` ${option.value ?? "VALUE"}` : "";
    return { left: `  ${short}--${name}${value}`, help: option.help };
  });
  const width = Math.max(...options.map((option) => option.left.length)) + 2;
  const lines = options.map((option) => `${option.left.padEnd(width)}${option.help}`);
  const examples = definition.examples.map((example) => `  ${example}`);
  const about = definition.about === undefined ? [] : [definition.about.trim(), ""];
  return [usage, "", definition.summary, "", ...about, "options:", ...lines, "", "examples:", ...examples, ""].join(
    "\n",
  );
}
