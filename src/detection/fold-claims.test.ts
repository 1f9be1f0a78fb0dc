import { expect, it } from "vitest";
import { encodeAccepted, encodeClaims, type Folded, foldClaims } from "./fold-claims.ts";
import type { RaisedClaim } from "./incidents.ts";

const startMs = Date.UTC(2026, 0, 5, 9);
const minuteMs = 60_000;
const series = { tenant: "acme", feature: "chat" };

function spend(minute: number, onsetMinute: number): RaisedClaim {
  return {
    ...{ detector: "spend", kind: "spend_above_baseline", series, severity: "page", whole: false, status: "firing" },
    ...{ atMs: startMs + minute * minuteMs, onsetMs: startMs + onsetMinute * minuteMs },
    ...{ unit: "nano_usd_per_minute", observed: 5e9, expected: 1e9, direction: "up", effect: "spend is x5" },
    ...{ confidence: 1, impactNanoUsd: 4e9, impactNanoUsdPerHour: 24e10, traceIds: [], evidence: {} },
  };
}

const at = (minute: number, ...claims: RaisedClaim[]) => encodeClaims(startMs + minute * minuteMs, claims);
const accepted = (minute: number) =>
  encodeAccepted(startMs + minute * minuteMs, { kind: "spend_above_baseline", series });

/** What follows from each entry; the state is saved and read again between any two. */
async function fold(...payloads: readonly Uint8Array[]): Promise<readonly Folded[]> {
  let snapshot: Uint8Array | undefined;
  const told: Folded[] = [];
  for (const [index, payload] of payloads.entries()) {
    const judge = foldClaims(snapshot);
    told.push(...(await judge.judge([{ offset: index + 1, payload }])).flat());
    snapshot = await judge.snapshot();
  }
  return told;
}

const said = (folded: readonly Folded[]) => folded.map(({ findings }) => findings.map(({ status }) => status));

it("ends what somebody calls the new normal, once, and says which detectors are to learn what anew", async () => {
  const folded = await fold(at(1, spend(1, 0)), accepted(2), accepted(3));
  expect(said(folded)).toEqual([["firing"], ["resolved"], []]);
  expect(folded.map(({ relearnt }) => relearnt)).toEqual([
    [],
    [{ detector: "spend", kind: "spend_above_baseline", series }],
    [],
  ]);
});

it("passes over what the detector says before it has heard of that, and hears what begins later", async () => {
  const folded = await fold(at(1, spend(1, 0)), accepted(2), at(3, spend(3, 0)), at(60, spend(60, 58)));
  expect(said(folded)).toEqual([["firing"], ["resolved"], [], ["firing"]]);
});

it("accepts nothing that is not open", async () => {
  expect(await fold(accepted(1))).toEqual([{ findings: [], relearnt: [], unreadable: null }]);
});
