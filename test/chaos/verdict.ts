/** What is wrong with the store at one moment, found by asking the running server after it has settled. */

import { settle, sql } from "../support/burnwatch.ts";
import type { Ledger } from "./ledger.ts";
import { rollupDifferences, storedSpans } from "./stored.ts";

export interface Verdict {
  readonly lost: number;
  readonly doubled: number;
  /** Wrong cost or never sent. */
  readonly wrong: number;
  readonly rollups: readonly string[];
  /** Arrived over numbered, must be 1; null where nothing was numbered. */
  readonly completeness: number | null;
  readonly examples: readonly string[];
}

const triesMax = 3;

/** Every exporter must be waiting, and every request of theirs acknowledged. */
export async function judgeStore(apiUrl: string, ledger: Ledger): Promise<Verdict> {
  await ask(() => settle(apiUrl));
  const question = <Row>(text: string) => sql<Row>(apiUrl, text);
  const { lost, doubled, wrongCost, foreign, examples } = ledger.faults(await ask(() => storedSpans(question)));
  const rollups = await ask(() => rollupDifferences(question));
  const { completeness } = await ask(() => completenessOf(apiUrl));
  return { lost, doubled, wrong: wrongCost + foreign, rollups, completeness, examples };
}

async function completenessOf(apiUrl: string): Promise<{ readonly completeness: number | null }> {
  const answer = await fetch(`${apiUrl}/api/v1/alerts`);
  return (await answer.json()) as { completeness: number | null };
}

/** Asks again where an idle connection was closed just as it was used again: nobody's fault, on a busy machine common. */
async function ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof TypeError) || tries === triesMax) throw error;
    }
  }
}
