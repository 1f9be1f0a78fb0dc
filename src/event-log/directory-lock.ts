/**
 * One process per data directory. The lock is a listening Unix socket: the kernel lets go of it however the process
 * ends, so that nothing stale survives a kill -9.
 */

import { mkdirSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join, resolve } from "node:path";

export class DirectoryLockedError extends Error {
  override name = "DirectoryLockedError";
}

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Creates the directory if needed and takes it.
 * @throws DirectoryLockedError when a live process holds it.
 * @throws Error with one plain line when it cannot be written.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  let lock: DirectoryLock | null;
  try {
    lock = await takeDirectory(directory);
  } catch (error) {
    throw new Error(
      `cannot write into the data directory ${directory} (${(error as Error).message}): make it writable, or choose another with --data or BURNWATCH_DATA`,
      { cause: error },
    );
  }
  if (lock !== null) return lock;
  throw new DirectoryLockedError(
    `another Burnwatch is running on ${directory}: stop it, or give this one its own directory with --data or BURNWATCH_DATA`,
  );
}

/** Null when a live process holds it. */
async function takeDirectory(directory: string): Promise<DirectoryLock | null> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = socketPath(resolve(directory));
  for (let attempt = 0; attempt < 3; attempt++) {
    const server = await listen(path);
    if (server !== null) return { release: () => new Promise((done) => server.close(() => done())) };
    if (await answers(path)) break;
    removeStale(path);
  }
  return null;
}

/** What a killed process left; another that starts at the same moment may have removed it. */
function removeStale(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Socket paths are limited to about 100 bytes: a deep directory is named relative to where we stand. */
function socketPath(directory: string): string {
  const path = join(directory, "lock");
  if (process.platform === "win32") return `\\\\.\\pipe\\burnwatch-${path.replaceAll(/[\\/:]/g, "-")}`;
  return path.length < 100 ? path : join(".", path.slice(process.cwd().length + 1));
}

function listen(path: string): Promise<Server | null> {
  return new Promise((done, fail) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? done(null) : fail(error)));
    server.listen(path, () => done(server));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      done(true);
    });
    socket.once("error", () => done(false));
  });
}
