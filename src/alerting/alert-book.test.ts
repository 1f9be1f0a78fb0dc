import { expect, it } from "vitest";
import type { Finding } from "../model/finding.ts";
import { AlertBook } from "./alert-book.ts";

const finding: Finding = {
  detector: "spend",
  kind: "spend_above_baseline",
  series: { tenant: "acme", feature: "search" },
  severity: "page",
  status: "firing",
  atMs: Date.UTC(2026, 0, 5, 9, 40),
  onsetMs: Date.UTC(2026, 0, 5, 9, 38),
  unit: "nano_usd_per_minute",
  observed: 8_000_000_000,
  expected: 1_000_000_000,
  direction: "up",
  effect: "spend is 8.0x the usual",
  confidence: 0.99,
  impactNanoUsdPerHour: 420_000_000_000,
  traceIds: ["0af7651916cd43dd8448eb211c80319c"],
  folded: [],
  impactNanoUsd: 14_000_000_000,
  evidence: {
    z: 12.5,
    history_windows: 38,
    test: "open_window",
    window: "minute",
    calls_per_minute: 20,
    usual_calls_per_minute: 10,
    tokens_per_call: 400,
    usual_tokens_per_call: 100,
    nano_usd_per_call: 400_000_000,
    usual_nano_usd_per_call: 100_000_000,
    top_model: "gpt-4o",
  },
};
const later = { ...finding, atMs: finding.atMs + 60_000, impactNanoUsd: 21_000_000_000 };
const resolved: Finding = { ...later, status: "resolved", atMs: finding.atMs + 300_000 };

it("says who, how much, what was expected, since when, the dollars, and what changed", () => {
  const book = new AlertBook(undefined);
  book.apply([finding], 1);
  const [alert] = book.alerts();
  expect(alert?.labels).toEqual({ alertname: "spend_above_baseline", tenant: "acme", feature: "search" });
  expect(alert?.annotations).toMatchObject({
    summary:
      "search of tenant acme: $8.00/min, expected $1.00/min, since 2026-01-05T09:38:00.000Z; $14.00 above expectation so far",
    impact_per_hour: "$420.00/h at this rate",
    changed: "calls x2.00, tokens per call x4.00, cost per token x1.00, mostly gpt-4o",
    why: "spend is 8.0x the usual; z 12.5, history_windows 38, test open_window, window minute; 99.00 % sure",
    traces: "0af7651916cd43dd8448eb211c80319c",
    look: "burnwatch cost --by model,feature --since 1h --where tenant=acme --where feature=search",
  });
});

it("pages once per incident: updates keep fingerprint and start, and are not told again", () => {
  const book = new AlertBook(undefined);
  book.apply([finding], 1);
  const [first] = book.untold("webhook");
  if (first !== undefined) book.told("webhook", first);
  book.apply([later], 2);
  expect(book.untold("webhook")).toEqual([]);
  expect(book.alerts()).toHaveLength(1);
  expect(book.alerts()[0]).toMatchObject({
    fingerprint: first?.fingerprint,
    startsAtMs: finding.onsetMs,
    impactNanoUsd: 21e9,
  });
  book.apply([resolved], 3);
  expect(book.untold("webhook")).toMatchObject([{ status: "resolved", endsAtMs: resolved.atMs }]);
});

it("tells a ticket that has become a page as a page, once", () => {
  const book = new AlertBook(undefined);
  const tell = () => {
    for (const alert of book.untold("webhook")) book.told("webhook", alert);
  };
  book.apply([{ ...finding, severity: "ticket" }], 1);
  tell();
  book.apply([later], 2);
  expect(book.untold("webhook")).toMatchObject([{ severity: "page", startsAtMs: finding.onsetMs }]);
  tell();
  book.apply([later], 3);
  expect(book.untold("webhook")).toEqual([]);
});

it("keeps a cause beside the alert, asks again when the incident has doubled or ended, and keeps what is known", () => {
  const book = new AlertBook(undefined);
  const minutes = (count: number) => finding.onsetMs + count * 60_000;
  const known = (cause: string, spokenAtMs: number) => ({ annotations: { cause }, isKnown: true, spokenAtMs });
  book.apply([finding], 1);
  expect(book.unexplained()).toMatchObject([{ offset: 1, spokenAtMs: finding.atMs }]);
  const [alert] = book.alerts();
  if (alert === undefined) throw new Error("no alert");
  book.explain(alert, { ...known("not known: late", finding.atMs), isKnown: false });
  expect(book.unexplained()).toEqual([]);
  book.explain(alert, known("inputs", finding.atMs));
  expect(book.alerts()[0]?.annotations["cause"]).toBe("inputs");
  expect(JSON.stringify(book.state().entries[0]?.alert)).not.toContain("inputs");

  // Two minutes old when it was asked: at three nothing has changed, at four it has doubled.
  book.apply([{ ...finding, atMs: minutes(3) }], 2);
  expect(book.unexplained()).toEqual([]);
  book.apply([{ ...finding, atMs: minutes(4) }], 3);
  expect(book.unexplained()).toMatchObject([{ spokenAtMs: minutes(4) }]);
  book.explain(alert, { ...known("not known: late", minutes(4)), isKnown: false });
  expect(book.alerts()[0]?.annotations["cause"]).toBe("inputs");
  book.apply([{ ...resolved, atMs: minutes(5) }], 4);
  expect(book.unexplained()).toMatchObject([{ alert: { status: "resolved" } }]);
  book.apply([{ ...finding, onsetMs: minutes(60), atMs: minutes(61) }], 5);
  expect(book.alerts()[0]?.annotations["cause"]).toBeUndefined();
});

it("has a fingerprint without values and times: equal for the same series, another for another", () => {
  const fingerprintOf = (changed: Partial<Finding>) => {
    const book = new AlertBook(undefined);
    book.apply([{ ...finding, ...changed }], 1);
    return book.alerts()[0]?.fingerprint;
  };
  expect(fingerprintOf({ atMs: 5, onsetMs: 5, observed: 1 })).toBe(fingerprintOf({}));
  expect(fingerprintOf({ series: { tenant: "acme", feature: "chat" } })).not.toBe(fingerprintOf({}));
  expect(fingerprintOf({ kind: "other" })).not.toBe(fingerprintOf({}));
});

it("changes nothing when an entry of the log is told again after a restart", () => {
  const book = new AlertBook(undefined);
  book.apply([finding], 1);
  book.apply([resolved], 2);
  const again = new AlertBook(JSON.parse(JSON.stringify(book.state())));
  expect(again.apply([finding], 1)).toBe(false);
  expect(again.apply([resolved], 2)).toBe(false);
  expect(again.alerts()).toEqual(book.alerts());
  expect(again.apply([{ ...finding, onsetMs: finding.onsetMs + 3_600_000 }], 3)).toBe(true);
  expect(again.untold("webhook")).toHaveLength(1);
});

it("remembers what a channel was told across a restart, and owes it the rest", () => {
  const book = new AlertBook(undefined);
  book.apply([finding], 1);
  const [alert] = book.alerts();
  if (alert !== undefined) book.told("terminal", alert);
  const again = new AlertBook(JSON.parse(JSON.stringify(book.state())));
  expect(again.untold("terminal")).toEqual([]);
  expect(again.untold("webhook")).toHaveLength(1);
});

it("keeps at most a thousand alerts, the firing ones longest", () => {
  const book = new AlertBook(undefined);
  for (let n = 0; n < 1500; n++) {
    const series = { tenant: "acme", feature: `f${n}` };
    book.apply([{ ...finding, series }, ...(n === 0 ? [] : [{ ...resolved, series }])], n + 1);
  }
  expect(book.alerts()).toHaveLength(1000);
  expect(book.alerts().some(({ labels, status }) => labels["feature"] === "f0" && status === "firing")).toBe(true);
});
