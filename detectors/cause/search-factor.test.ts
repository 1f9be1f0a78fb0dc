import { expect, it } from "vitest";
import { seededRandom } from "../observation-samples.ts";
import { explainChange } from "./explain-change.ts";
import { type Period, SpendTable } from "./spend-table.ts";

const none = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 };

/**
 * Calls at $10 a million tokens of input. Users come and go: one of four is there in both periods, and all calls of one tenant
 * double by themselves in the later one. What the calls of a tenant and feature are like is the same before and after.
 */
function causesOf(change: (tenant: string, feature: string) => { input?: number; attempts?: number }) {
  const table = new SpendTable();
  const random = seededRandom(4);
  for (const period of ["before", "after"] as const satisfies readonly Period[]) {
    for (const tenant of ["acme", "globex", "initech"]) {
      for (const feature of ["chat", "search", "agent"]) {
        for (let user = 0; user < 40; user++) {
          const changed = period === "after" ? change(tenant, feature) : {};
          const requests = Math.ceil(60 * random() ** 2) * (period === "after" && tenant === "globex" ? 1.2 : 1);
          const calls = Math.round(requests * (changed.attempts ?? 1));
          const tokens = calls * (changed.input ?? 1000);
          const name = user % 4 === 0 ? `u${user}` : `u${user} ${period}`;
          table.add(
            period,
            { tenant, feature, model: "gpt-4o", promptVersion: "v1", user: `${tenant} ${name}` },
            {
              calls,
              retries: calls - Math.round(requests),
              tokens: { ...none, input: tokens },
              nanoUsd: { ...none, input: tokens * 10_000 },
              feeNanoUsd: 0,
            },
          );
        }
      }
    }
  }
  return explainChange(table, 1).causes.map(({ names }) => names);
}

it("names the slice whose calls changed, though other slices have more calls and users come and go", () => {
  const here = (tenant: string, feature: string) => tenant === "acme" && feature === "agent";
  const acme = { tenant: "acme", feature: "agent" };
  expect(causesOf((tenant, feature) => (here(tenant, feature) ? { input: 4000 } : {}))).toEqual([acme]);
  expect(causesOf((tenant, feature) => (here(tenant, feature) ? { attempts: 4 } : {}))).toEqual([acme]);
});

it("names none when every call has changed alike", () => {
  expect(causesOf(() => ({ input: 2000 }))).toEqual([]);
});
