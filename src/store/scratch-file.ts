/** Bytes for the embedded engine, whose inserts take text formats only: a binary format reaches it as a file. */

import { open, unlink } from "node:fs/promises";

/**
 * Lends bytes as a file descriptor, read from its start. The file has lost its name by the time it is written: a crash
 * leaves an empty file at most, which the next use of the path takes away, and no path has to be quoted for the engine.
 */
export async function lendAsFile<Result>(
  path: string,
  bytes: Uint8Array,
  use: (descriptor: number) => Promise<Result>,
): Promise<Result> {
  const file = await open(path, "w+", 0o600);
  try {
    await unlink(path);
    let written = 0;
    // At positions, so that the descriptor's own stays at the start.
    while (written < bytes.length)
      written += (await file.write(bytes, written, bytes.length - written, written)).bytesWritten;
    return await use(file.fd);
  } finally {
    await file.close();
  }
}
