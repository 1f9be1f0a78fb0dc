/** Load in virtual time: requests that are repeated until they are acknowledged, and repeated although they were. */

import { recordKeys } from "../../instrumentation/protocol.ts";
import { type Random, seededRandom } from "../../src/ingest/otlp-random.ts";
import { type ChaosSpan, chaosSpan, requestOf, wrappersOf } from "../chaos/chaos-span.ts";
import type { Ledger } from "../chaos/ledger.ts";
import type { World } from "./world.ts";

export interface LoadOptions {
  readonly world: World;
  readonly ledger: Ledger;
  readonly seed: number;
  readonly spans: number;
  /** Over so long, evenly. */
  readonly overMs: number;
  /** Of each span, by its number. */
  readonly tenant?: (index: number, random: Random) => string;
  readonly spansOfRequest?: number;
}

const retryMs = 1000;
const rememberedMax = 2000;

/** Sends all of it; resolves when the last is acknowledged. */
export async function sendLoad(options: LoadOptions): Promise<void> {
  const { world, ledger, spans, overMs, spansOfRequest = 25 } = options;
  const random = seededRandom(options.seed);
  const tenant = options.tenant ?? (() => `tenant-${random(4)}`);
  const requests = Math.ceil(spans / spansOfRequest);
  const old: ChaosSpan[] = [];
  const pending: Promise<void>[] = [];
  for (let request = 0; request < requests; request++) {
    const fresh = Array.from({ length: spansOfRequest }, (_, index) => {
      const atMs = Date.now() - (random(50) === 0 ? random(86_400_000) : random(60_000));
      const sizes = { input: 1 + random(400), output: 1 + random(40) };
      const who = { tenant: tenant(request * spansOfRequest + index, random), feature: `feature-${random(5)}` };
      return chaosSpan({ producer: "", sequence: 0, ...who, atMs, ...sizes, wrapped: random(8) === 0 }, random);
    });
    // What streams is told of when it begins, and corrected when it ends.
    const early = correctable(fresh, random);
    for (const [index, span] of early) fresh[index] = span.corrected;
    ledger.sent(fresh);
    const again =
      random(3) === 0 && old.length > 0 ? Array.from({ length: 5 }, () => old[random(old.length)] as ChaosSpan) : [];
    const first = random(4) === 0 ? wrappersOf(fresh) : null;
    pending.push(
      send({
        world,
        ledger,
        random,
        fresh,
        bodies: [
          ...(first === null ? [] : [first]),
          ...(early.size === 0 ? [] : [requestOf(Array.from(early.values(), (one) => one.early))]),
          requestOf([...fresh, ...again]),
        ],
      }),
    );
    for (const span of fresh) {
      if (old.length < rememberedMax) old.push(span);
      else if (random(4) === 0) old[random(rememberedMax)] = span;
    }
    if (pending.length >= 64) await Promise.all(pending.splice(0, 32));
    await sleep(overMs / requests);
  }
  await Promise.all(pending);
}

interface Corrected {
  readonly early: ChaosSpan;
  readonly corrected: ChaosSpan;
}

interface OtlpSpan {
  readonly attributes: readonly { readonly key: string; readonly value: unknown }[];
}

/** Some of the spans, by their index: as they are told of at first, with other tokens, and as the correction of that. */
function correctable(spans: readonly ChaosSpan[], random: Random): ReadonlyMap<number, Corrected> {
  const chosen = Array.from(spans.entries()).filter(([, { wrapper }]) => wrapper === null && random(12) === 0);
  return new Map(
    chosen.map(([index, span]) => {
      const { attributes, ...rest } = span.otlp as OtlpSpan;
      const others = attributes.filter(({ key }) => key !== "gen_ai.usage.output_tokens");
      const output = { key: "gen_ai.usage.output_tokens", value: { intValue: String(span.output + 1000) } };
      const revision = { key: recordKeys.revision, value: { intValue: "1" } };
      const early = { ...span, otlp: { ...rest, attributes: [...others, output] } };
      return [index, { early, corrected: { ...span, otlp: { ...rest, attributes: [...attributes, revision] } } }];
    }),
  );
}

interface Sending {
  readonly world: World;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly fresh: readonly ChaosSpan[];
  readonly bodies: readonly string[];
}

async function send({ world, ledger, random, fresh, bodies }: Sending): Promise<void> {
  for (const body of bodies) await untilAcked(world, random, body);
  ledger.acked(fresh);
  // As after a lost acknowledgement.
  const last = bodies.at(-1);
  if (random(6) === 0 && last !== undefined) await untilAcked(world, random, last);
}

async function untilAcked(world: World, random: Random, body: string): Promise<void> {
  for (;;) {
    const collectors = world.of("collector");
    const collector = collectors[random(Math.max(1, collectors.length))];
    if (collector !== undefined) {
      // A collector that dies never answers.
      const answer = collector.take(body).then(
        () => true,
        () => false,
      );
      if (await Promise.race([answer, sleep(10_000).then(() => false)])) return;
    }
    await sleep(retryMs);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
