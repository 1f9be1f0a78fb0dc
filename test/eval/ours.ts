/** The project's own shift test as a scorer among the baselines: the score is its evidence, so the threshold is the alarm level. */

import { addBin, newHistogram, rankOf } from "../../detectors/histogram.ts";
import { binOf } from "../../detectors/log-bins.ts";
import { bet, newWealth, oddsFor } from "../../detectors/rank-bets.ts";
import { defaultShift } from "../../detectors/shift.ts";
import { learnWander, marginOf, newWander } from "../../detectors/wander.ts";
import type { Baseline } from "./baselines/baseline.ts";

/** No margin: the plain theorem, alarms <= N / A on exchangeable data. */
export const plainPortfolio = portfolio("portfolio, no margin", { marginMin: 0, wanderFactor: 0 });
/** As it is shipped. */
export const shippedPortfolio = portfolio("portfolio, as shipped", defaultShift);

function portfolio(name: string, settings: { readonly marginMin: number; readonly wanderFactor: number }): Baseline {
  return {
    name,
    usual: 1e7,
    start(random) {
      const reference = newHistogram();
      const wealth = newWealth();
      const wander = newWander();
      return (value) => {
        const bin = binOf(value);
        const rank = rankOf(reference, bin, random());
        addBin(reference, bin);
        if (reference.total <= defaultShift.referenceMin) return 0;
        const evidence = bet(wealth, rank, oddsFor(marginOf(wander, settings)));
        learnWander(wander, rank);
        return evidence;
      };
    },
  };
}
