/** Kills a server under load at one place after another and judges what is left after every few kills. */

import { seededRandom } from "../../src/ingest/otlp-random.ts";
import { Fleet } from "./exporters.ts";
import { detectionFaults } from "./fresh-detection.ts";
import { excessUsdPerMinuteMin, sendIncident } from "./incident.ts";
import { Ledger } from "./ledger.ts";
import { type Kill, placeOf } from "./places.ts";
import type { Mutation } from "./stand-between.ts";
import { judgeStore, type Verdict } from "./verdict.ts";
import { type StartOptions, Victim, VictimError } from "./victim.ts";
import { Webhook } from "./webhook.ts";

export interface CampaignOptions {
  readonly seed: number;
  /** Kills in order; those that follow each other at one place are judged together. */
  readonly kills: readonly Kill[];
  readonly mutation?: Mutation | null;
  /** Rows of one insert, one of them at each start: batches are full, or lingered, or planned under another limit. */
  readonly rowsMax?: readonly number[];
  readonly progress: (text: string) => void;
}

export interface PlaceResult {
  readonly place: string;
  readonly kills: number;
  /** Of these, kills from outside after the place was not reached in time. */
  readonly missed: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly rollups: number;
  readonly detection: number;
}

export interface CampaignResult {
  readonly places: readonly PlaceResult[];
  readonly kills: number;
  readonly acked: number;
  readonly requests: number;
  readonly repeats: number;
  readonly incidents: number;
  /** Incidents that the webhook heard of more than once: each kill until they are settled may cost one repeat. */
  readonly toldTwice: number;
  /** What is wrong, one line each. */
  /** Ends of its own, because a worker failed: what was acknowledged must be there all the same. */
  readonly lmdbEnds: number;
  readonly faults: readonly string[];
}

interface Incident {
  readonly sending: Promise<void>;
  /** Kills from its start until a check after which nothing of it is owed. */
  kills: number;
  settled: boolean;
}

type Counts = { -readonly [Name in Exclude<keyof PlaceResult, "place">]: number };

const exporters = 4;
/** Each check reads everything that was ever stored: more load would be more to read, and no more kills. */
const pauseMsMax = 80;
/** The fifth batch takes five seconds on an idle machine and more than fifteen on a crowded one. */
const reachedWithinMs = 40_000;
const faultsMax = 40;
const unexpectedEndsMax = 3;
const rowsMaxByDefault = [400, 2000, 20_000];
const nothing: Verdict = { lost: 0, doubled: 0, wrong: 0, rollups: [], completeness: null, examples: [] };

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const webhook = await Webhook.start();
  const victim = await Victim.create({
    mutation: options.mutation ?? null,
    environment: {
      BURNWATCH_WEBHOOK: webhook.url,
      BURNWATCH_EXCESS_USD_PER_MINUTE_MIN: String(excessUsdPerMinuteMin),
    },
  });
  try {
    return await new Campaign(options, victim, webhook).run();
  } finally {
    webhook.stop();
    await victim.remove();
  }
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #victim: Victim;
  readonly #webhook: Webhook;
  readonly #ledger = new Ledger();
  readonly #fleet: Fleet;
  readonly #places = new Map<string, Counts>();
  readonly #incidents = new Map<string, Incident>();
  readonly #faults: string[] = [];
  readonly #random;
  #last = nothing;
  #kills = 0;
  #unexpectedEnds = 0;

  constructor(options: CampaignOptions, victim: Victim, webhook: Webhook) {
    this.#options = options;
    this.#victim = victim;
    this.#webhook = webhook;
    this.#random = seededRandom(options.seed ^ 0x5eed);
    const { ledger, tracesUrl } = { ledger: this.#ledger, tracesUrl: victim.tracesUrl };
    this.#fleet = new Fleet({ ledger, tracesUrl, exporters, seed: options.seed, pauseMsMax });
  }

  async run(): Promise<CampaignResult> {
    const { kills, progress } = this.#options;
    this.#fleet.start();
    for (const [index, kill] of kills.entries()) {
      const place = placeOf(kill);
      progress(`kill ${index + 1} of ${kills.length} at ${place}, ${this.#ledger.ackedSpans()} spans acknowledged`);
      try {
        await this.#carryOut(kill, this.#counts(place));
        const next = kills[index + 1];
        if (next === undefined || placeOf(next) !== place) await this.#check(place, next === undefined);
      } catch (error) {
        // The next check tells what it cost. Where it goes on like this, more kills are worth nothing.
        this.#fault(`${place}: ${(error as Error).message}\n${this.#victim.output()}`);
        await this.#victim.kill();
        if (++this.#unexpectedEnds === unexpectedEndsMax) break;
      }
    }
    this.#fleet.resume();
    // A step that nobody passes any more would be tested by nothing, and look as good as the others.
    for (const [place, counts] of this.#places)
      if (counts.kills > 0 && counts.missed === counts.kills) this.#fault(`${place}: never reached`);
    return this.#result();
  }

  async #carryOut(kill: Kill, counts: Counts): Promise<void> {
    const victim = this.#victim;
    if (kill.kind === "outside") await this.#killFromOutside(kill);
    else {
      this.#spawn({ failpoint: kill.failpoint });
      if (kill.failpoint.step === "alerts.save") await this.#incident();
      // A place that is not reached in time gets its kill from outside.
      if (!(await victim.gone(reachedWithinMs))) {
        counts.missed++;
        await victim.kill();
      }
    }
    const { code, signal } = victim.ended();
    // No kill, then; what it left is checked like any other end.
    if (victim.endedByLmdb()) return;
    const stopped = kill.kind === "outside" && kill.place === "stopping" && code === 0;
    if (signal !== "SIGKILL" && !stopped)
      throw new VictimError(`ended by itself with ${code ?? signal}:\n${victim.output()}`);
    counts.kills++;
    this.#countKill();
  }

  async #killFromOutside({ place, delayMs }: Kill & { readonly kind: "outside" }): Promise<void> {
    const victim = this.#victim;
    this.#spawn();
    if (place !== "starting") await victim.ready();
    if (place === "stopping") {
      await sleep(500);
      victim.terminate();
    }
    await sleep(delayMs);
    await victim.kill();
  }

  #spawn(options: StartOptions = {}): void {
    const { rowsMax = rowsMaxByDefault } = this.#options;
    const rows = rowsMax[this.#random(rowsMax.length)] ?? 0;
    this.#victim.spawn({ ...options, environment: { BURNWATCH_BATCH_ROWS_MAX: String(rows) } });
  }

  /** Lets an incident begin; it is acknowledged whenever the server lives long enough. */
  async #incident(): Promise<void> {
    const tenant = `incident-${this.#incidents.size}`;
    const { tracesUrl } = this.#victim;
    const sending = sendIncident(tenant, { ledger: this.#ledger, tracesUrl, random: this.#random });
    sending.catch(() => undefined);
    this.#incidents.set(tenant, { sending, kills: 0, settled: false });
  }

  #countKill(): void {
    this.#kills++;
    for (const incident of this.#incidents.values()) if (!incident.settled) incident.kills++;
  }

  /** Starts the server, lets it settle, judges the store, ends it in one of two ways and judges the detector. */
  async #check(place: string, last: boolean): Promise<void> {
    const victim = this.#victim;
    this.#spawn();
    await victim.ready();
    await Promise.all([...this.#incidents.values()].map(({ sending }) => sending));
    await this.#fleet.pause();
    const verdict = await judgeStore(victim.apiUrl, this.#ledger);
    this.#note(place, verdict);
    if (last) await this.#checkAlerts();
    else this.#fleet.resume();
    await sleep(100);
    if (last || this.#random(2) === 0) await victim.stop();
    else await victim.kill();
    this.#settleIncidents();
    const { differences } = await detectionFaults(victim.directory, victim.journal);
    this.#counts(place).detection += differences.length;
    for (const difference of differences) this.#fault(`${place}: ${difference}`);
  }

  #note(place: string, verdict: Verdict): void {
    const before = this.#last;
    const counts = this.#counts(place);
    counts.lost += Math.max(0, verdict.lost - before.lost);
    counts.doubled += Math.max(0, verdict.doubled - before.doubled);
    counts.wrong += Math.max(0, verdict.wrong - before.wrong);
    const news = verdict.rollups.filter((line) => !before.rollups.includes(line));
    counts.rollups += news.length;
    for (const line of [...verdict.examples.filter((line) => !before.examples.includes(line)), ...news])
      this.#fault(`${place}: ${line}`);
    if (verdict.completeness !== 1 && before.completeness !== verdict.completeness)
      this.#fault(`${place}: completeness ${verdict.completeness}, not 1`);
    this.#last = verdict;
  }

  async #checkAlerts(): Promise<void> {
    const deadline = performance.now() + 10_000;
    const silent = () => [...this.#incidents.keys()].filter((tenant) => this.#webhook.firing(tenant).length === 0);
    while (silent().length > 0 && performance.now() < deadline) await sleep(100);
    for (const tenant of this.#incidents.keys()) {
      const told = this.#webhook.firing(tenant);
      const kills = this.#incidents.get(tenant)?.kills ?? 0;
      if (told.length !== 1 || (told[0] ?? 0) > 1 + kills)
        this.#fault(`alerts: ${tenant} told [${told}] times, ${kills} kills in between`);
    }
  }

  /** The kill that may have ended the check counts too: a notification may have been on its way. */
  #settleIncidents(): void {
    for (const incident of this.#incidents.values()) {
      if (incident.settled) continue;
      incident.kills++;
      incident.settled = true;
    }
  }

  #result(): CampaignResult {
    const told = [...this.#incidents.keys()].flatMap((tenant) => this.#webhook.firing(tenant));
    return {
      places: [...this.#places].map(([place, counts]) => ({ place, ...counts })),
      kills: this.#kills,
      acked: this.#ledger.ackedSpans(),
      ...this.#fleet.counts(),
      incidents: this.#incidents.size,
      lmdbEnds: this.#victim.lmdbEnds,
      toldTwice: told.filter((times) => times > 1).length,
      faults: this.#faults,
    };
  }

  #counts(place: string): Counts {
    const known = this.#places.get(place);
    if (known !== undefined) return known;
    const counts = { kills: 0, missed: 0, lost: 0, doubled: 0, wrong: 0, rollups: 0, detection: 0 };
    this.#places.set(place, counts);
    return counts;
  }

  #fault(line: string): void {
    if (this.#faults.length < faultsMax) this.#faults.push(line);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
