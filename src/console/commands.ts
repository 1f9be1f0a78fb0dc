/** The commands that talk to a running server, and how one is found by its name. */

import { nearestName } from "../model/nearest-name.ts";
import { alerts } from "./alerts.ts";
import { backtest } from "./backtest.ts";
import type { Command, CommandIo } from "./command.ts";
import { cost } from "./cost.ts";
import { models } from "./models.ts";
import { prices } from "./prices.ts";
import { replay } from "./replay.ts";
import { reprice } from "./reprice.ts";
import { score } from "./score.ts";
import { sql } from "./sql.ts";
import { tail } from "./tail.ts";

export const commands: readonly Command[] = [cost, models, prices, reprice, sql, alerts, tail, replay, backtest, score];

/** Runs the command that the first argument names. Without one, or for `help`, prints the list. */
export async function runCommand(list: readonly Command[], args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    io.stdout.write(listOf(list));
    return name === undefined ? 2 : 0;
  }
  if (name === "help" && rest[0] === undefined) {
    io.stdout.write(listOf(list));
    return 0;
  }
  const wanted = name === "help" ? (rest[0] ?? "") : name;
  const command = list.find((each) => each.name === wanted);
  if (command === undefined) {
    const nearest = nearestName(wanted, [...list.map((each) => each.name), "help"]);
    const suggestion = nearest === undefined ? "" : `, did you mean ${nearest}?`;
    io.stderr.write(`burnwatch: unknown command "${wanted}"${suggestion}\n${usage}\n`);
    return 2;
  }
  return command.run(name === "help" ? ["--help"] : rest, io);
}

const usage = "usage: burnwatch COMMAND [options]   (burnwatch help lists the commands)";

function listOf(list: readonly Command[]): string {
  const width = Math.max(...list.map((each) => each.name.length)) + 2;
  const lines = list.map((each) => `  ${each.name.padEnd(width)}${each.summary}`);
  return [usage, "", "commands:", ...lines, "", "burnwatch COMMAND --help says more.", ""].join("\n");
}
