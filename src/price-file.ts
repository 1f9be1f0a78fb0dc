/** The user's price list on disk: read at start, and again within two seconds of every change. */

import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Config, ConfigError } from "./config.ts";
import type { PriceBook } from "./pricing/price-book.ts";
import { PriceListError, parsePriceList } from "./pricing/price-list-file.ts";

export interface PriceFileOptions {
  readonly config: Pick<Config, "prices" | "data">;
  readonly book: PriceBook;
  /** Told of a list that was read again. */
  readonly loaded: (file: string, version: string | null) => void;
  /** Told once of each broken state of the file; the list before it stays in use. */
  readonly refused: (error: Error) => void;
}

const lookEveryMs = 2000;

export class PriceFile {
  readonly path: string;
  readonly #options: PriceFileOptions;
  #state = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PriceFileOptions) {
    this.#options = options;
    // Absolute: commands in other directories are told of it.
    this.path = resolve(options.config.prices ?? join(options.config.data, "prices.yaml"));
  }

  /** Reads the list and begins to look for changes. @throws ConfigError when it is broken, or named and not there. */
  start(): void {
    const { config } = this.#options;
    this.#state = this.#stateOf();
    if (this.#state === "" && config.prices !== null)
      throw new ConfigError(
        `prices: there is no file ${this.path}: write one (burnwatch prices add), or leave the key out`,
      );
    try {
      this.#read();
    } catch (error) {
      throw error instanceof PriceListError ? new ConfigError(`the price list is wrong\n${error.message}`) : error;
    }
    this.#timer = setInterval(() => this.refresh(), lookEveryMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Reads the list if it has changed. A broken one is refused as a whole. */
  refresh(): void {
    const { book, loaded, refused } = this.#options;
    const state = this.#stateOf();
    if (state === this.#state) return;
    this.#state = state;
    try {
      this.#read();
      loaded(this.path, book.list()?.version ?? null);
    } catch (error) {
      refused(error as Error);
    }
  }

  #read(): void {
    const { book } = this.#options;
    book.use(this.#state === "" ? null : parsePriceList(readFileSync(this.path, "utf8"), this.path));
  }

  /** Changes when the file does; "" where there is none. */
  #stateOf(): string {
    const stats = statSync(this.path, { throwIfNoEntry: false, bigint: true });
    return stats === undefined ? "" : `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
  }
}
