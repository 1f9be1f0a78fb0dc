/**
 * A TCP proxy on the loopback that misbehaves as networks do: it waits, cuts, falls silent without closing, delivers a
 * request and loses the answer.
 */

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** What becomes of a connection once these bytes of its client have come. */
export type Verdict = "pass" | "cut" | "lose-answer";

/** Sees each piece of what clients send, as the socket gave it. */
export type Watch = (request: Buffer) => Verdict;

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Its answers are swallowed from here on, and it is cut at the first. */
  answerLost: boolean;
  /** Bytes wait for ever. */
  silent: boolean;
}

export class TcpProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #targetPort = 0;
  #delayMs = 0;
  #watch: Watch = () => "pass";

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (client) => this.#link(client));
  }

  /** Listens on a free port of the loopback; until `forwardTo` whoever connects is cut. */
  static async listen(): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpProxy(server);
  }

  get port(): number {
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") throw new Error("the proxy is closed");
    return bound.port;
  }

  /** A port of the loopback. */
  forwardTo(port: number): void {
    this.#targetPort = port;
  }

  /** Every piece, in either direction, comes so much later. */
  delay(milliseconds: number): void {
    this.#delayMs = milliseconds;
  }

  watch(watch: Watch): void {
    this.#watch = watch;
  }

  /** Delay and watch end; connections that are silent stay so. */
  heal(): void {
    this.#delayMs = 0;
    this.#watch = () => "pass";
  }

  /** Resets every connection that stands; new ones pass. @returns how many. */
  cut(): number {
    const count = this.#links.size;
    for (const link of this.#links) end(link);
    return count;
  }

  /** Connections that stand stay open, and nothing passes in either direction any more; new ones pass. @returns how many. */
  silence(): number {
    for (const link of this.#links) link.silent = true;
    return this.#links.size;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  #link(client: Socket): void {
    const server = connect(this.#targetPort, "127.0.0.1");
    const link: Link = { client, server, answerLost: false, silent: false };
    this.#links.add(link);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.setNoDelay(true);
      from.on("error", () => this.#endUnlessSilent(link));
      from.once("close", () => {
        this.#endUnlessSilent(link);
        if (to.closed) this.#links.delete(link);
      });
      from.on("data", (piece: Buffer) => {
        // One piece at a time, in order.
        from.pause();
        void this.#carry(link, piece, from, to).then((more) => more && from.resume());
      });
    }
  }

  /** True when the next piece may come. */
  async #carry(link: Link, piece: Buffer, from: Socket, to: Socket): Promise<boolean> {
    if (this.#delayMs > 0) await new Promise((done) => setTimeout(done, this.#delayMs));
    if (link.silent) return false;
    if (from === link.client) {
      const verdict = this.#watch(piece);
      if (verdict === "cut") end(link);
      if (verdict === "lose-answer") link.answerLost = true;
    } else if (link.answerLost) end(link);
    if (to.destroyed) return false;
    if (!to.write(piece)) await Promise.race([once(to, "drain"), once(to, "close")]).catch(() => undefined);
    return true;
  }

  /** A silent link does not tell one side what became of the other. */
  #endUnlessSilent(link: Link): void {
    if (!link.silent) end(link);
  }
}

function end({ client, server }: Link): void {
  client.resetAndDestroy();
  server.resetAndDestroy();
}
