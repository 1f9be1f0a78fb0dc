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

/**
 * The library's own sockets, closed with an error when nothing comes for so long after something was asked. Further
 * questions do not put that off (Node's own timeout of sockets would begin anew with each): of a connection that several
 * share there is always one.
 */
export function openSockets(silentMs: number = silentMaxMs): ISocketFactory {
  const open = defaultFactory();
  return (options) => {
    const socket = open(options) as Socket;
    const write = socket.write;
    let waiting: NodeJS.Timeout | undefined;
    const heard = () => {
      clearTimeout(waiting);
      waiting = undefined;
    };
    const giveUp = () => socket.destroy(new Error(`no answer for ${silentMs / 1000} s`));
    socket.write = ((...words: Parameters<typeof write>) => {
      waiting ??= setTimeout(giveUp, silentMs).unref();
      return write.apply(socket, words);
    }) as typeof write;
    // Nothing is asked any more, or the next question begins the time anew: idle connections are not closed.
    socket.on("data", heard).on("close", heard);
    return socket;
  };
}
