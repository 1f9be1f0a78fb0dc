/** The terminal that runs the server: the first place a newcomer looks. */

import { styleText } from "node:util";
import type { Alert } from "../model/finding.ts";
import type { Channel } from "./channel.ts";

/** Where alerts are shown, and whether in colours. */
export interface Terminal {
  readonly write: (text: string) => unknown;
  readonly colours: boolean;
}

/** Writes alerts to a terminal, or to whatever stands in its place. */
export function terminalChannel(terminal: Terminal): Channel {
  return {
    name: "terminal",
    async notify(alert) {
      terminal.write(terminalText(alert, terminal.colours));
    },
  };
}

/** One alert as a person reads it: what, what changed, what is at risk, why, where to look. */
export function terminalText(alert: Alert, colours: boolean): string {
  const { annotations } = alert;
  const firing = alert.status === "firing";
  const title = firing ? ` ALERT ${alert.severity} ` : " RESOLVED ";
  const styled = colours ? styleText(["bold", firing ? "bgRed" : "bgGreen"], title) : `[${title.trim()}]`;
  const lines = [
    `${styled} ${annotations["summary"]}`,
    firing ? `   changed  ${annotations["changed"]}` : "",
    annotations["cause"] === undefined ? "" : `   cause    ${annotations["cause"]}`,
    annotations["cause_dollars"] === undefined ? "" : `   dollars  ${annotations["cause_dollars"]}`,
    firing ? `   at risk  ${annotations["impact_per_hour"]}` : `   lasted   ${lasted(alert)}`,
    firing ? `   why      ${annotations["why"]}` : "",
    `   look     ${annotations["look"]}`,
  ];
  return `\n${lines.filter((line) => line !== "").join("\n")}\n\n`;
}

function lasted(alert: Alert): string {
  const minutes = Math.max(1, Math.round(((alert.endsAtMs ?? alert.startsAtMs) - alert.startsAtMs) / 60_000));
  return `${minutes} min`;
}
