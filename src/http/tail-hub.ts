/** Records as they are resolved, to whoever follows. A slow reader misses lines, and is told how many. */

import type { ServerResponse } from "node:http";

interface Follower {
  readonly response: ServerResponse;
  skipped: number;
}

export interface TailHubOptions<Item> {
  readonly line: (item: Item) => Record<string, unknown>;
  readonly followersMax: number;
  /** Told of each follower that went, and how many are left. */
  readonly left?: (followers: number) => void;
}

export class TailHub<Item> {
  readonly #options: TailHubOptions<Item>;
  readonly #followers = new Set<Follower>();

  constructor(options: TailHubOptions<Item>) {
    this.#options = options;
  }

  follow(response: ServerResponse): void {
    if (this.#followers.size >= this.#options.followersMax) {
      response.writeHead(503, { "retry-after": "10", "content-type": "application/json" });
      response.end(`${JSON.stringify({ error: { message: "too many followers", hint: "close another tail" } })}\n`);
      return;
    }
    response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
    response.flushHeaders();
    const follower = { response, skipped: 0 };
    this.#followers.add(follower);
    response.on("close", () => {
      this.#followers.delete(follower);
      this.#options.left?.(this.#followers.size);
    });
  }

  followers(): number {
    return this.#followers.size;
  }

  publish(items: readonly Item[]): void {
    if (this.#followers.size === 0 || items.length === 0) return;
    const lines = items.map((item) => `${JSON.stringify(this.#options.line(item))}\n`).join("");
    for (const follower of this.#followers) {
      if (follower.response.writableNeedDrain) {
        follower.skipped += items.length;
        continue;
      }
      if (follower.skipped > 0) follower.response.write(`${JSON.stringify({ skipped: follower.skipped })}\n`);
      follower.skipped = 0;
      follower.response.write(lines);
    }
  }

  close(): void {
    for (const { response } of this.#followers) response.end();
  }
}
