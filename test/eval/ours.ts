/** The project's own shift test as a scorer among the baselines: the score is its evidence, so the threshold is the alarm level. */

import { addBin, newHistogram, rankOf } from "../../detectors/histogram.ts";
import { binOf } from "../../detectors/log-bins.ts";
import { bet, newWealth, oddsFor } from "../../detectors/rank-bets.ts";
import { addValue, defaultShift, newShift } from "../../detectors/shift.ts";
import type { Baseline } from "./baselines/baseline.ts";

/** No margin, and every value learnt at once: the plain theorem, alarms <= N / A on exchangeable data. */
export const plainPortfolio: Baseline = {
  name: "portfolio, no margin",
  usual: 1e7,
  start(random) {
    const reference = newHistogram();
    const wealth = newWealth();
    return (value) => {
      const bin = binOf(value);
      const rank = rankOf(reference, bin, random());
      addBin(reference, bin);
      return reference.total <= defaultShift.referenceMin ? 0 : bet(wealth, rank, oddsFor(0));
    };
  },
};

/** As it is shipped, told to alarm at no evidence: the score is what it has. Records have no times here, so nothing fades. */
export const shippedPortfolio: Baseline = {
  name: "portfolio, as shipped",
  usual: 1e7,
  start(random) {
    const state = newShift();
    const settings = { ...defaultShift, referenceMinutesMin: 0 };
    return (value) => {
      const call = { atMs: 0, nanoUsd: 0, tieBreak: random(), record: { traceId: "" } };
      addValue(state, value, call, Number.POSITIVE_INFINITY, settings);
      // The last cell is what the last step paid.
      const { cells, at, length } = state.wealth;
      return cells.subarray(at, at + length - 1).reduce((sum, won) => sum + won, 0) / (length - 1);
    };
  },
};
