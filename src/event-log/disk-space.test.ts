import { expect, it } from "vitest";
import { DiskSpace, NoRoomError } from "./disk-space.ts";

function disk(free: number) {
  const state = { free };
  return { state, space: new DiskSpace({ directory: ".", freeBytesMin: 100e6, freeBytes: () => state.free }) };
}

it("is short of space below the limit and says how much is free, how much is needed and where that is set", () => {
  const { state, space } = disk(100e6);
  expect(space.shortage()).toBeNull();
  state.free = 99.94e6;
  expect(space.shortage()).toBe(
    "not enough space on the collector's disk: 99.9 MB free, 100.0 MB needed (disk.free_bytes_min)",
  );
});

it("still writes what was acknowledged down to a quarter of the limit", () => {
  expect(disk(25e6).space.hasRoom()).toBe(true);
  expect(disk(24e6).space.hasRoom()).toBe(false);
});

it("lets those who wait for room go on in their order once it is there", async () => {
  const { state, space } = disk(0);
  const gone: number[] = [];
  const waiting = [1, 2, 3].map((number) => space.untilRoom().then(() => gone.push(number)));
  await new Promise((done) => setTimeout(done, 20));
  expect(gone).toEqual([]);
  state.free = 200e6;
  await Promise.all(waiting);
  expect(gone).toEqual([1, 2, 3]);
});

it("lets nobody wait once it is closed", async () => {
  const { space } = disk(0);
  const waiting = space.untilRoom();
  space.close();
  await expect(waiting).rejects.toThrow(NoRoomError);
  await expect(space.untilRoom()).rejects.toThrow(NoRoomError);
});

it("is no guard at a limit of 0", () => {
  const space = new DiskSpace({ directory: ".", freeBytesMin: 0, freeBytes: () => 0 });
  expect([space.shortage(), space.hasRoom()]).toEqual([null, true]);
});

it("asks the operating system", () => {
  expect(new DiskSpace({ directory: ".", freeBytesMin: 0 }).freeBytes()).toBeGreaterThan(0);
});
