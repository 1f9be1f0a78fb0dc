/** The README of detectors/: the catalogue from the detectors themselves, and the tables that were kept. `--write` writes it. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Detector } from "../detectors/detector.ts";
import { detectors } from "../detectors/detectors.ts";
import { settingSpelling } from "../src/detection/detector-plan.ts";
import { evaluations } from "./eval/evaluations.ts";

const path = fileURLToPath(new URL("../detectors/README.md", import.meta.url));
const results = new URL("eval/results/", import.meta.url);

const head = `# Detectors

Pure statistics: no I/O, no clock, no environment. [detector.ts](detector.ts) says what a detector is, [detectors.ts](detectors.ts) is
the list; \`src/detection/\` runs it over the usage log and folds claims into one finding per incident. This file is made from the list and from
kept results by \`node test/detectors-readme.ts --write\`; a test keeps it fresh.

## What happens to a claim

A **page** goes out at once; about a whole (a tenant) it waits a minute for the part (a feature) that explains 80 % of its dollars. A **ticket**
waits five minutes for a page of its branch that explains it, and, where it is about money, until it has cost 25 cents. A spend
claim pages where calls have become dearer; more calls at the usual cost are what success looks like too, and stay a ticket until they have
cost $20 and a quarter of a usual day. A ticket that becomes a page is told again. What an incident explains is folded into it and shows in its words. Change how loud a detector is, or a setting, in all scopes or in one, and try it first:

\`\`\`sh
burnwatch backtest usage.csv --set token-shift=page --set spend@tenant.excess_usd_per_minute_min=5
BURNWATCH_DETECTORS="token-shift=page,spend@tenant.excess_usd_per_minute_min=5" burnwatch serve
\`\`\`

**The alarm level of a series** comes from an alert budget: one false ticket and a tenth of a false page a week over all series, shared out by the
square root of what each spends, as evidence \`A = N / (F w)\` for N calls a week. On exchangeable calls the bound holds (table "theorem"). Real
traffic is not exchangeable; the tables "real order" and "week" say what is left of the bound there.

## Why spend changed

\`cause/\` splits the change of spend between two periods into volume, mix, retries, input length, cache, output length, reasoning and
price by their Shapley values, exact to the nano-dollar, and searches tenant, feature, model, prompt version and user for the smallest
slice that explains it. Where most of a change is one factor of what calls are like (their length, retries, price), each cell is compared
with what it would have cost without it: calls come and go by themselves. An alert carries the result (\`cause\`, \`cause_dollars\`,
\`cause_compared\`): the incident's period in the store against the time before its onset, a quarter of an hour at least, or from two hours on
the same time a week before. A page waits a second for it at most and says so when it went out without. It says "broad" where no slice stands out; that parts add up is no evidence. The table "causes" says how often
it is right.

## Not detected yet, for want of data

| number | what a record would have to carry |
|---|---|
| L8, prompts of other instrumentations | their \`burnwatch.prompt.hash\`: what they carry of prompts is dropped on arrival, unread |
| L11, energy of a call, a feature or a model | power is measured by machine; what of it one call took is not, and of an instance that serves several models their sum is judged |
| L9, time between chunks | the longest pause of a stream: only its duration and whether it broke off are known |
| L1, what tools answered | a keyed hash of results; arguments alone are compared |

## Bad input

| input | what happens |
|---|---|
| time going backwards | late records count in the minute they belong to while it is kept (an hour), and spend judges it again; ranks follow the order of arrival |
| a clock ahead of its arrival | the time is taken as the arrival, so that one emitter ends no window |
| the same call twice | dropped before detection by the identity of its span; a copy with another span is another call |
| a million new series in a minute | series are bounded (100,000); the smallest tenth is forgotten at once, one with an incident last |
| all values equal | ranks are broken by a hash of the span: no alarm |
| one value of 1e12 | one rank; sums are finite, values above 2^31 share a bin; a burst of fewer than 16 calls is no shift |
| no price | no spend and no cost per call; tokens and rates are judged |
| corrections, tools | count for spend, never for ranks, rates or requests |

`;

/** One detector as a section. */
function section({ id, name, summary, method, kinds, scopes, mode, settings }: Detector): string {
  const chosen = Object.entries(settings).map(([key, value]) => `\`${settingSpelling(key)}\` ${value}`);
  return [
    `### ${id} ${name}`,
    "",
    `${summary[0]?.toUpperCase()}${summary.slice(1)}. ${method}`,
    "",
    `- kinds: ${kinds.map((kind) => `\`${kind}\``).join(", ")}`,
    `- per ${scopes.join(", ")}; ${mode}`,
    ...(chosen.length === 0 ? [] : [`- settings: ${chosen.join(", ")}`]),
    "",
  ].join("\n");
}

/** What was measured, as it was kept by `npm run eval -- --keep`. */
function measured(): string {
  const sections = evaluations.flatMap(({ name, summary }) => {
    const file = new URL(`${name}.md`, results);
    if (!existsSync(file)) return [];
    return [`### ${name}: ${summary}\n\n\`npm run eval -- ${name}\`\n\n${readFileSync(file, "utf8").trim()}\n`];
  });
  const bench = new URL("bench-detection.md", results);
  if (existsSync(bench))
    sections.push(`### speed\n\n\`npm run bench -- detection\`\n\n${readFileSync(bench, "utf8").trim()}\n`);
  const plot = existsSync(new URL("delays.svg", results)) ? "![delays](../test/eval/results/delays.svg)\n\n" : "";
  return `## Measured\n\nEverything is fixed in [test/eval/protocol.ts](../test/eval/protocol.ts) before anything is tuned.\n\n${plot}${sections.join("\n")}`;
}

/** The whole file. */
export function detectorsReadme(): string {
  return `${head}## Catalogue\n\n${detectors.map(section).join("\n")}\n${measured()}`;
}

if (process.argv.includes("--write")) writeFileSync(path, detectorsReadme());
