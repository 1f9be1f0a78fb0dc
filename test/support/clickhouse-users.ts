/** Users before the ClickHouse test server, which has one: their passwords can be changed while somebody works with them. */

import { request as ask, createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface ClickhouseUsers {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  setPassword(user: string, password: string): void;
  stop(): Promise<void>;
}

/** Whoever has the right password comes to the server as its one user; others as they are, and the server refuses them. */
export async function startClickhouseUsers(
  serverUrl: string,
  users: Readonly<Record<string, string>>,
): Promise<ClickhouseUsers> {
  const known = new Map(Object.entries(users));
  const relay = createServer((request, response) => {
    const { authorization = "", ...others } = request.headers;
    const [user = "", password = ""] = Buffer.from(authorization.replace("Basic ", ""), "base64").toString().split(":");
    const headers = known.get(user) === password ? others : request.headers;
    const onwards = ask(
      new URL(request.url ?? "/", serverUrl),
      { method: request.method ?? "GET", headers },
      (answer) => {
        const { "transfer-encoding": _, ...answered } = answer.headers;
        response.writeHead(answer.statusCode ?? 500, answered);
        answer.pipe(response);
      },
    );
    onwards.on("error", () => response.destroy());
    request.pipe(onwards);
  });
  await new Promise<void>((done) => relay.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    setPassword: (user, password) => void known.set(user, password),
    async stop() {
      relay.closeAllConnections();
      await new Promise((done) => relay.close(done));
    },
  };
}
