/** Sends an answer as it is made: small ones whole, with their length; large ones in pieces, as fast as they are read. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough, type Transform } from "node:stream";
import { constants, createBrotliCompress, createDeflate, createGzip, createZstdCompress } from "node:zlib";
import type { AnswerSink, ClickhouseAnswer } from "./clickhouse-engine.ts";
import { ClickhouseError } from "./clickhouse-error.ts";

/**
 * Up to here an answer is held back: an error until then is an error and not a broken answer. A million rows of a number,
 * which is what the limits allow, are 7 MB. Only as many answers are made at once as the engine has connections for them.
 */
const heldBytesMax = 16 * 1024 * 1024;
/** A client that takes nothing for so long is given up: it holds one of few connections to the engine. */
const stalledMsMax = 30_000;

const codings: Readonly<Record<string, () => Transform>> = {
  // The level ClickHouse uses.
  gzip: () => createGzip({ level: 3 }),
  zstd: () => createZstdCompress(),
  br: () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 3 } }),
  deflate: () => createDeflate({ level: 3 }),
};

export class ClickhouseAnswerSink implements AnswerSink {
  readonly #response: ServerResponse;
  readonly #coding: string | undefined;
  readonly #begunAt = performance.now();
  readonly #head: boolean;
  readonly #tag = randomBytes(8).toString("hex");
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #body: Transform | undefined;
  #bytes = 0;

  constructor(request: IncomingMessage, response: ServerResponse, compressed: boolean) {
    this.#response = response;
    this.#head = request.method === "HEAD";
    this.#coding = compressed ? chooseCoding(String(request.headers["accept-encoding"] ?? "")) : undefined;
  }

  begin({ format, contentType, timezone, ignored }: ClickhouseAnswer): void {
    this.#response.setHeader("content-type", contentType);
    this.#response.setHeader("x-clickhouse-format", format);
    this.#response.setHeader("x-clickhouse-timezone", timezone);
    if (ignored.length > 0) this.#response.setHeader("x-burnwatch-ignored", ignored.join(", "));
  }

  async write(piece: Uint8Array): Promise<void> {
    this.#bytes += piece.length;
    if (this.#body === undefined) {
      this.#held.push(piece);
      this.#heldBytes += piece.length;
      if (this.#heldBytes > heldBytesMax) await this.#startSending();
      return;
    }
    await this.#send(piece);
  }

  /** Sends what is held, and the end. */
  async end(): Promise<void> {
    if (this.#body === undefined) {
      const summary = { result_bytes: String(this.#bytes), elapsed_ns: String(this.#elapsedNs()) };
      this.#response.setHeader("x-clickhouse-summary", JSON.stringify(summary));
      if (this.#coding === undefined) this.#response.setHeader("content-length", this.#bytes);
      await this.#startSending();
    }
    this.#body?.once("end", () => this.#response.end());
    this.#body?.end();
  }

  /** True once the head has gone out, so that an error can only be told by `fail`. */
  get sending(): boolean {
    return this.#body !== undefined;
  }

  /**
   * Ends an answer that broke off, as ClickHouse does: the error stands after a mark of its own, and the connection is cut
   * without the end of the body, so that nobody takes what came for the whole.
   */
  fail(text: string): void {
    const message = Buffer.from(text);
    const mark = `\r\n__exception__\r\n`;
    const block = [mark, this.#tag, "\r\n", message, `${message.length} ${this.#tag}`, mark];
    this.#body?.once("end", () => this.#response.socket?.destroySoon());
    this.#body?.end(Buffer.concat(block.map((part) => Buffer.from(part))));
  }

  #elapsedNs(): number {
    return Math.round((performance.now() - this.#begunAt) * 1e6);
  }

  async #startSending(): Promise<void> {
    if (this.#coding !== undefined) this.#response.setHeader("content-encoding", this.#coding);
    if (!this.#response.hasHeader("x-clickhouse-summary"))
      this.#response.setHeader("x-clickhouse-summary", JSON.stringify({ elapsed_ns: String(this.#elapsedNs()) }));
    this.#response.setHeader("x-clickhouse-exception-tag", this.#tag);
    this.#response.writeHead(200);
    this.#body = (this.#coding === undefined ? undefined : codings[this.#coding]?.()) ?? new PassThrough();
    this.#body.on("error", () => this.#response.destroy());
    this.#body.pipe(this.#response, { end: false });
    const held = this.#held;
    this.#held = [];
    for (const piece of held) await this.#send(piece);
  }

  async #send(piece: Uint8Array): Promise<void> {
    const body = this.#body;
    if (body === undefined || this.#head || piece.length === 0) return;
    if (this.#response.destroyed) throw new ClickhouseError("ABORTED", "the client went away");
    if (body.write(piece)) return;
    const given = new AbortController();
    const giveUp = () => given.abort();
    const timer = setTimeout(giveUp, stalledMsMax);
    this.#response.once("close", giveUp);
    try {
      await once(body, "drain", { signal: given.signal });
    } catch (cause) {
      this.#response.destroy();
      throw new ClickhouseError("ABORTED", "the client takes no more", { cause });
    } finally {
      clearTimeout(timer);
      this.#response.off("close", giveUp);
    }
  }
}

/** The first coding we have in the client's own order, as ClickHouse chooses it. */
function chooseCoding(accepted: string): string | undefined {
  return accepted
    .split(",")
    .map((part) => part.trim())
    .filter((part) => !/;\s*q=0(?:\.0*)?$/.test(part))
    .map((part) => part.split(";", 1)[0]?.trim().toLowerCase() ?? "")
    .find((name) => Object.hasOwn(codings, name));
}
