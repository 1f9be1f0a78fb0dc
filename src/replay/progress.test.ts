import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Progress } from "./progress.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

function progress(terminal: boolean, options: { columns?: number; silent?: boolean } = {}) {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text), isTTY: terminal, columns: options.columns ?? 100 };
  const { silent = false } = options;
  return {
    written,
    bar: new Progress({ stream, label: "replay", unit: "spans", total: 10_000, silent, now: Date.now }),
  };
}

test("a terminal gets a bar with rate and remaining time, ten times a second", () => {
  const { written, bar } = progress(true);
  bar.start();
  bar.add(2500);
  vi.advanceTimersByTime(1000);
  expect(written.length).toBe(10);
  expect(written.at(-1)).toBe(
    "\r\u001b[2Kreplay ██████░░░░░░░░░░░░░░░░░░ 25 %  2,500 of 10,000  2,500 spans/s  0:03 left",
  );
  bar.stop();
  vi.advanceTimersByTime(1000);
  expect(written.length).toBe(11);
});

test("the bar is cut to the width", () => {
  const { written, bar } = progress(true, { columns: 40 });
  bar.start();
  vi.advanceTimersByTime(100);
  expect(written[0]?.replace("\r\u001b[2K", "").length).toBe(39);
});

test("a log gets a plain line every five seconds", () => {
  const { written, bar } = progress(false);
  bar.start();
  bar.add(100);
  vi.advanceTimersByTime(11_000);
  expect(written).toEqual([
    "replay 1 %  100 of 10,000  20 spans/s  8:15 left\n",
    "replay 1 %  100 of 10,000  0 spans/s\n",
  ]);
  bar.stop();
});

test("a program gets nothing", () => {
  const { written, bar } = progress(true, { silent: true });
  bar.start();
  vi.advanceTimersByTime(11_000);
  bar.stop();
  expect(written).toEqual([]);
});

test("hours are shown as hours", () => {
  const { written, bar } = progress(false);
  bar.start();
  bar.add(5);
  vi.advanceTimersByTime(5_000);
  expect(written[0]).toContain("2:46:35 left");
  bar.stop();
});
