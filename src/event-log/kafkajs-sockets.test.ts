import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSockets } from "./kafkajs-sockets.ts";

const silentMs = 300;

describe("sockets for kafkajs", () => {
  let answers: boolean;
  let server: Server;
  beforeEach(async () => {
    answers = false;
    server = createServer((socket) =>
      socket.on("data", () => answers && socket.write("answer")).on("error", () => undefined),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => {
    server.close();
  });

  async function connected(): Promise<{ socket: Socket; closed: () => string | null }> {
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("no port");
    const opened = Promise.withResolvers<void>();
    const socket = openSockets(silentMs)({ host: "127.0.0.1", port: bound.port, onConnect: opened.resolve } as never);
    let said: string | null = null;
    socket.on("error", (error: Error) => {
      said = error.message;
    });
    await opened.promise;
    return { socket: socket as Socket, closed: () => said };
  }

  it("are closed when nothing comes, however often something is asked meanwhile", async () => {
    const { socket, closed } = await connected();
    const asking = setInterval(() => !socket.destroyed && socket.write("question"), silentMs / 10);
    await expect.poll(closed, { timeout: 10 * silentMs }).toBe("no answer for 0.3 s");
    clearInterval(asking);
    expect(socket.destroyed).toBe(true);
  });

  it("stay open while answers come, and while nothing is asked", async () => {
    answers = true;
    const { socket, closed } = await connected();
    for (let asked = 0; asked < 20; asked++) {
      socket.write("question");
      await new Promise((done) => setTimeout(done, silentMs / 10));
    }
    await new Promise((done) => setTimeout(done, 2 * silentMs));
    expect([closed(), socket.destroyed]).toEqual([null, false]);
    socket.destroy();
  });
});
