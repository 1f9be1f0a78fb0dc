/**
 * Sockets for kafkajs that notice when nobody is there any more. The library gives up a request after 30 seconds and asks
 * again over the same connection, for as long as the kernel believes in it: with a broker that vanished without a word, or
 * a firewall that forgot the connection, that is a quarter of an hour.
 */

import { createRequire } from "node:module";
import type { Socket } from "node:net";
import type { ISocketFactory } from "kafkajs";

/** Longer than brokers take to answer anything but a group that waits for its members, who are missed after ten seconds. */
const silentMaxMs = 20_000;

const require = createRequire(import.meta.url);
const defaultFactory = require("kafkajs/src/network/socketFactory.js") as () => ISocketFactory;

/** The library's own sockets, closed when nothing comes for so long after something was asked. */
export function openSockets(silentMs: number = silentMaxMs): ISocketFactory {
  const open = defaultFactory();
  return (options) => {
    const socket = open(options) as Socket;
    const write = socket.write;
    socket.write = ((...words: Parameters<typeof write>) => {
      socket.setTimeout(silentMs);
      return write.apply(socket, words);
    }) as typeof write;
    // Nothing is asked any more, or the next question begins the time anew: idle connections are not closed.
    socket.on("data", () => socket.setTimeout(0));
    // The library hears of it too, and ends what waits; it would leave the socket to the kernel.
    socket.on("timeout", () => setImmediate(() => socket.destroy()));
    return socket;
  };
}
