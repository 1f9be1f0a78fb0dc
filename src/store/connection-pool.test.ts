import { expect, it } from "vitest";
import { ConnectionPool } from "./connection-pool.ts";

interface Fake {
  readonly key: string;
  readonly client: { close(): Promise<void> };
}

/** A pool of fakes that notes what was opened and closed. */
function poolOf(connectionsMax: number, waitingMax = 10) {
  const events: string[] = [];
  const open = async (key: string): Promise<Fake> => {
    events.push(`open ${key}`);
    if (key === "broken") throw new Error("cannot open");
    return { key, client: { close: async () => void events.push(`close ${key}`) } };
  };
  return { events, pool: new ConnectionPool<Fake>({ open, connectionsMax, waitingMax }) };
}

/** Work that ends when it is told to. */
function work() {
  const { promise, resolve } = Promise.withResolvers<string>();
  return { run: () => promise, end: () => resolve("done") };
}

it("reuses an idle connection of the same purpose and replaces one of another", async () => {
  const { events, pool } = poolOf(1);
  await pool.use("a", async () => 1);
  await pool.use("a", async () => 2);
  await pool.use("b", async () => 3);
  await pool.close();
  expect(events).toEqual(["open a", "open b", "close a", "close b"]);
});

it("lets callers beyond its connections wait in order, and refuses those beyond its queue", async () => {
  const { pool } = poolOf(1, 2);
  const first = work();
  const order: string[] = [];
  const running = pool.use("a", first.run);
  const second = pool.use("a", async () => void order.push("second"));
  const third = pool.use("b", async () => void order.push("third"));
  await expect(pool.use("a", async () => 4)).rejects.toThrow("the store is busy: 2 queries are waiting already");
  first.end();
  await Promise.all([running, second, third]);
  expect(order).toEqual(["second", "third"]);
});

it("runs as many at once as it has connections", async () => {
  const { events, pool } = poolOf(3);
  const works = [work(), work(), work()];
  const running = works.map(({ run }) => pool.use("a", run));
  for (const { end } of works) end();
  expect(await Promise.all(running)).toEqual(["done", "done", "done"]);
  expect(events).toEqual(["open a", "open a", "open a"]);
});

it("does not offer a connection again that could not be opened, and goes on", async () => {
  const { pool } = poolOf(1);
  const failed = pool.use("broken", async () => 1);
  const next = pool.use("a", async () => 2);
  await expect(failed).rejects.toThrow("cannot open");
  expect(await next).toBe(2);
});

it("frees the connection of work that failed", async () => {
  const { pool } = poolOf(1);
  await expect(pool.use("a", () => Promise.reject(new Error("no such column")))).rejects.toThrow("no such column");
  expect(await pool.use("a", async () => 2)).toBe(2);
});
