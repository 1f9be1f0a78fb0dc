/** Keeps a line that comes with every try from being said with every try. */

import { performance } from "node:perf_hooks";

const againMs = 60_000;

/** Tells whether a line was said within the last minute; if not, it counts as said now. Only the last line is known. */
export function saidLately(): (line: string) => boolean {
  let last = { line: "", atMs: Number.NEGATIVE_INFINITY };
  return (line) => {
    const atMs = performance.now();
    if (last.line === line && atMs - last.atMs < againMs) return true;
    last = { line, atMs };
    return false;
  };
}
