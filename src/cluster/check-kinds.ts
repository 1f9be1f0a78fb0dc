/** How the doctor of a cluster says what it finds. */

import type { Check } from "../console/doctor.ts";

/** Times of entries come from the collectors' clocks, those of what resolvers remember from theirs (`clockAllowanceMs`). */
const skewWarnMs = 1000;
const skewFailMs = 60_000;

/** Its checks, or that they could not be made. */
export async function attempt(
  name: string,
  advice: string,
  make: () => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  try {
    return await make();
  } catch (error) {
    return [{ name, status: "fail", detail: (error as Error).message, advice }];
  }
}

/** By how much another clock is outside of the time in which it was asked. */
export function clockCheck(
  name: string,
  theirMs: number,
  { before, after }: { readonly before: number; readonly after: number },
): Check {
  const skewMs = theirMs < before ? theirMs - before : Math.max(0, theirMs - after);
  const off = Math.abs(skewMs);
  const advice = "let both machines follow the same time server (chrony, ntpd)";
  if (off <= skewWarnMs) return ok(name, "goes with this machine's");
  const detail = `is ${(off / 1000).toFixed(1)} s ${skewMs < 0 ? "behind" : "ahead of"} this machine's, expected at most ${skewWarnMs / 1000} s`;
  return { name, status: off > skewFailMs ? "fail" : "warn", detail, advice };
}

/** A check that found nothing. */
export function ok(name: string, detail: string): Check {
  return { name, status: "ok", detail, advice: "" };
}

export interface Judged {
  readonly detail: string;
  /** Added where it is not well. */
  readonly fault: string;
  readonly advice: string;
  readonly status?: "warn" | "fail";
}

/** Well, or what is wrong and what to do. */
export function judge(name: string, well: boolean, { detail, fault, advice, status = "fail" }: Judged): Check {
  return well ? ok(name, detail) : { name, status, detail: `${detail}${fault}`, advice };
}
