import { hash } from "node:crypto";
import { expect, it } from "vitest";
import { newAnsweredPrompts, wasAnswered } from "./answered-prompts.ts";
import { seededRandom } from "./observation-samples.ts";

const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 0, 5, 9);

/** One call each: the prompt's number, seconds from the start, seconds it takes. */
function asked(calls: readonly (readonly [prompt: number, at: number, takes: number, answered?: boolean])[]) {
  const prompts = newAnsweredPrompts();
  return calls.map(([prompt, at, takes, answered = true]) =>
    wasAnswered(
      prompts,
      {
        hash: hash("sha256", String(prompt)).slice(0, 16),
        startMs: startMs + at * 1000,
        endMs: startMs + (at + takes) * 1000,
        answered,
      },
      hourMs,
    ),
  );
}

it("has an answer from its end on for as long as it is good, and pays anew after that", () => {
  const at = [0, 1, 3, 3599, 3603, 3606, 7200, 7300];
  expect(asked(at.map((second) => [1, second, 2] as const))).toEqual([
    false, // the first
    false, // while it is under way
    true,
    true,
    false, // an hour after the first answer: a memo pays again
    true,
    true,
    false,
  ]);
});

it("has no answer of a call that gave none, whatever arrives first", () => {
  expect(
    asked([
      [1, 0, 1, false],
      [1, 10, 1],
      [1, 20, 1],
    ]),
  ).toEqual([false, false, true]);
  // The later call arrives first; the earlier one's answer counts from its own end on.
  expect(
    asked([
      [1, 10, 5],
      [1, 0, 2],
      [1, 3, 1],
    ]),
  ).toEqual([false, false, true]);
});

it("agrees with a memo of unlimited room while an hour has no more prompts than places", () => {
  const random = seededRandom(3);
  const until = new Map<number, number>();
  const calls = Array.from({ length: 20_000 }, (_, index) => [Math.floor(400 * random() ** 2), index, 0] as const);
  const truth = calls.map(([prompt, at]) => {
    if (at < (until.get(prompt) ?? 0)) return true;
    until.set(prompt, at + 3600);
    return false;
  });
  expect(asked(calls)).toEqual(truth);
});

it("stays within 4,096 places however many prompts come, and still sees the one that comes again soon", () => {
  const prompts = newAnsweredPrompts();
  const random = seededRandom(5);
  const digits = () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, "0");
  let seen = 0;
  for (let index = 0; index < 200_000; index++) {
    const isHot = index % 50 === 0;
    const at = { startMs: startMs + index * 10, endMs: startMs + index * 10, answered: true };
    if (wasAnswered(prompts, { hash: isHot ? "0123456789abcdef" : digits() + digits(), ...at }, hourMs) && isHot)
      seen++;
  }
  expect(prompts.tags.length).toBe(4096);
  // One in 4,000 calls pushes it out; it is back with its next call.
  expect(seen).toBeGreaterThan(0.95 * 4000);
});
