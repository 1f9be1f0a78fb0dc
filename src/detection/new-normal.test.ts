import { describe, expect, it } from "vitest";
import { detectors } from "../../detectors/detectors.ts";
import { seededRandom, usageRecord } from "../../detectors/observation-samples.ts";
import type { Finding } from "../model/finding.ts";
import { noUsage } from "../model/usage.ts";
import { Watcher } from "./watcher.ts";

const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 0, 5, 9);
const limits = { seriesMax: 1000, passingMax: 1000 };

/** One feature with a call every two seconds, whose inputs become longer by a factor at some hours. */
class Life {
  readonly told: (Finding & { readonly hour: number })[] = [];
  readonly #random = seededRandom(7);
  #watcher = new Watcher({ detectors, choices: {}, limits });
  #atMs = startMs;
  #calls = 0;

  live(hours: number, factor: number): void {
    const endMs = this.#atMs + hours * hourMs;
    for (; this.#atMs < endMs; this.#atMs += 2000) {
      const wide = Math.exp(this.#random() + this.#random() - 1);
      const [input, output] = [Math.round(3000 * factor * wide), Math.round(300 * wide)];
      const values = {
        tenant: "acme",
        feature: "search",
        startUs: this.#atMs * 1000,
        endUs: this.#atMs * 1000,
        usage: { ...noUsage, input, output },
        costNanoUsd: input * 2500 + output * 10_000,
      };
      this.#tell(this.#watcher.observe(usageRecord(values, this.#calls++), this.#atMs));
      this.#tell(this.#watcher.tick(this.#atMs));
    }
  }

  firing(): readonly Finding[] {
    const open = new Map<string, Finding>();
    for (const finding of this.told) {
      const name = JSON.stringify([finding.kind, finding.series]);
      if (finding.status === "firing") open.set(name, finding);
      else open.delete(name);
    }
    return [...open.values()];
  }

  accept({ kind, series }: Pick<Finding, "kind" | "series">): readonly Finding[] {
    const findings = this.#watcher.accept({ kind, series }, this.#atMs);
    this.#tell(findings);
    return findings;
  }

  restart(): void {
    this.#watcher = new Watcher({ detectors, choices: {}, limits }, this.#watcher.snapshot());
  }

  #tell(findings: readonly Finding[]): void {
    const hour = (this.#atMs - startMs) / hourMs;
    for (const finding of findings) this.told.push({ ...finding, hour });
  }
}

/** Three hours as usual, half an hour of inputs six times as long, and whatever is said of it. */
function shifted(): Life {
  const life = new Life();
  life.live(3, 1);
  expect(life.firing()).toEqual([]);
  life.live(0.5, 6);
  expect(life.firing()).not.toEqual([]);
  return life;
}

describe("what somebody calls the new normal", () => {
  it("ends as such, is quiet at the new level, and is heard of again when it changes once more", () => {
    const life = shifted();
    for (const finding of life.firing())
      expect(life.accept(finding)).toMatchObject([
        {
          kind: finding.kind,
          series: finding.series,
          status: "resolved",
          evidence: { resolved_as: "accepted as the new normal" },
        },
      ]);
    expect(life.firing()).toEqual([]);
    const before = life.told.length;
    life.restart();
    life.live(3, 6);
    expect(life.told.slice(before)).toEqual([]);
    life.live(0.5, 24);
    expect(life.firing()).not.toEqual([]);
  });

  it("goes on firing where nobody does", () => {
    const life = shifted();
    const before = life.firing().map(({ kind }) => kind);
    life.live(1, 6);
    expect(life.firing().map(({ kind }) => kind)).toEqual(expect.arrayContaining(before));
  });

  it("is nothing where no such incident is open, and only once", () => {
    const life = shifted();
    const [finding] = life.firing();
    if (finding === undefined) throw new Error("nothing fires");
    expect(life.accept({ ...finding, series: { ...finding.series, feature: "chat" } })).toEqual([]);
    expect(life.accept({ ...finding, kind: "no_such_kind" })).toEqual([]);
    expect(life.accept(finding)).toHaveLength(1);
    expect(life.accept(finding)).toEqual([]);
  });
});
