import { expect, it } from "vitest";
import { detectors } from "../../detectors/detectors.ts";
import { detectorChoices } from "./detector-choices.ts";
import { planDetectors } from "./detector-plan.ts";

const planOf = (...texts: string[]) => planDetectors(detectors, detectorChoices(texts));
const spendIn = (plan: ReturnType<typeof planOf>, scope: "tenant" | "feature") =>
  plan.get(scope)?.find(({ detector }) => detector.name === "spend");

it("switches a detector off, everywhere or in one scope", () => {
  expect(spendIn(planOf("spend=off"), "tenant")).toBeUndefined();
  const plan = planOf("spend@tenant=off");
  expect(spendIn(plan, "tenant")).toBeUndefined();
  expect(spendIn(plan, "feature")).toMatchObject({ mode: "page" });
});

it("sets how loud it is and its thresholds, of one scope where it is named", () => {
  const plan = planOf("spend=ticket", "spend.excess_usd_per_minute_min=1", "spend@tenant.excess_usd_per_minute_min=5");
  expect(spendIn(plan, "feature")).toMatchObject({ mode: "ticket", settings: { excessUsdPerMinuteMin: 1 } });
  expect(spendIn(plan, "tenant")).toMatchObject({ mode: "ticket", settings: { excessUsdPerMinuteMin: 5 } });
});

it.each([
  ["spend", /expected NAME=off/],
  ["spent=off", /detectors\.spent: .*; spend\?/],
  ["spend=loud", /expected off, ticket or page/],
  ["spend.excess_usd_per_minute_min=much", /expected a number/],
  ["spend.excess_usd=1", /detectors\.spend\.settings\.excess_usd/],
  ["spend@run=off", /detectors\.spend\.scopes\.run: expected one of tenant, feature/],
])("refuses %s", (text, message) => {
  expect(() => detectorChoices([text])).toThrow(message);
});
