/** What usage can be split and filtered by. */

import { nearestName } from "../model/nearest-name.ts";
import { rollupDimensions } from "../store/schema.ts";

/** Every dimension, in the order in which they are offered. `day` and `hour` are of UTC. */
export const dimensions = [
  "tenant",
  "service",
  "environment",
  "feature",
  "user",
  "session",
  "agent",
  "run",
  "prompt_name",
  "prompt_version",
  "provider",
  "model",
  "operation",
  "tool",
  "status",
  "outcome",
  "day",
  "hour",
] as const;

export type Dimension = (typeof dimensions)[number];

/** A name that is no dimension; its message names the nearest one. */
export class UnknownDimensionError extends Error {
  override readonly name = "UnknownDimensionError";
}

/**
 * Dimensions by their names, without repeats.
 * @throws UnknownDimensionError for any other name.
 */
export function parseDimensions(names: Iterable<string>): Dimension[] {
  return [...new Set(names)].map((name) => {
    const found = dimensions.find((dimension) => dimension === name);
    if (found !== undefined) return found;
    const nearest = nearestName(name, dimensions);
    const hint = nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
    throw new UnknownDimensionError(`"${name}" is not a dimension${hint}; there are ${dimensions.join(", ")}`);
  });
}

/** True where the rollups keep this dimension. */
export function isInRollup(dimension: Dimension): boolean {
  return dimension === "day" || dimension === "hour" || (rollupDimensions as readonly string[]).includes(dimension);
}
