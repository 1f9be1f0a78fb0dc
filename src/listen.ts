/** Listening on the addresses of the configuration, and ceasing to. */

import type { Server as HttpServer } from "node:http";
import type { Server } from "node:net";
import type { Address } from "./config.ts";

/** Open connections get this long to receive their answers. */
export const closeConnectionsAfterMs = 2000;

/** Listens for HTTP where an address is given; `undo` learns how to stop. @returns the port, null where closed. */
export async function listenHttp(
  address: Address | null,
  key: string,
  server: HttpServer,
  undo: (() => Promise<void>)[],
): Promise<number | null> {
  server.on("clientError", (_error, socket) => socket.destroy());
  const port = await listen(address, key, server);
  if (port !== null) undo.push(() => stopListening(server));
  return port;
}

/** @throws Error with one plain line where the port cannot be had. @returns the port, null where no address is given. */
export async function listen(address: Address | null, key: string, server: Server): Promise<number | null> {
  if (address === null) return null;
  await new Promise<void>((done, fail) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === "EADDRINUSE"
          ? "is in use by another process"
          : `cannot be opened (${error.code ?? error.message})`;
      fail(
        new Error(
          `${address.host}:${address.port} ${reason}: choose another with ${key} in the config, or stop what holds it`,
        ),
      );
    });
    server.listen(address.port, address.host, done);
  });
  const bound = server.address();
  return typeof bound === "object" && bound !== null ? bound.port : null;
}

function stopListening(server: HttpServer): Promise<void> {
  return new Promise((done) => {
    server.close(() => done());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), closeConnectionsAfterMs).unref();
  });
}
