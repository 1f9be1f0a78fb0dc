import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TcpProxy } from "./tcp-proxy.ts";

/** Answers each piece with the same in capitals. */
const server = createServer((socket) => {
  socket.on("error", () => undefined);
  socket.on("data", (data) => {
    heard.push(String(data));
    socket.write(String(data).toUpperCase());
  });
});
const heard: string[] = [];
const clients: Socket[] = [];
let proxy: TcpProxy;

beforeEach(async () => {
  heard.length = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  proxy = await TcpProxy.listen();
  proxy.forwardTo(typeof bound === "object" && bound !== null ? bound.port : 0);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.close();
  await new Promise((done) => server.close(done));
});

async function client(): Promise<Socket> {
  const socket = connect(proxy.port, "127.0.0.1");
  clients.push(socket);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

async function ask(socket: Socket, text: string): Promise<string> {
  const answer = once(socket, "data");
  socket.write(text);
  return String((await answer)[0]);
}

it("carries both ways, later where it is told to wait", async () => {
  const socket = await client();
  expect(await ask(socket, "one")).toBe("ONE");
  proxy.delay(60);
  const startedAt = performance.now();
  expect(await ask(socket, "two")).toBe("TWO");
  expect(performance.now() - startedAt).toBeGreaterThan(110);
});

it("cuts what stands, and lets new ones through", async () => {
  const socket = await client();
  await ask(socket, "one");
  const closed = new Promise((done) => socket.once("close", done));
  expect(proxy.cut()).toBe(1);
  await closed;
  expect(await ask(await client(), "two")).toBe("TWO");
});

it("delivers a request, swallows its answer and cuts", async () => {
  proxy.watch((request) => (request.includes("insert") ? "lose-answer" : "pass"));
  const socket = await client();
  expect(await ask(socket, "select")).toBe("SELECT");
  let answered = false;
  socket.on("data", () => {
    answered = true;
  });
  const closed = new Promise((done) => socket.once("close", done));
  socket.write("insert");
  await closed;
  expect(heard).toEqual(["select", "insert"]);
  expect(answered).toBe(false);
});

it("falls silent without closing: neither side hears of the other", async () => {
  const socket = await client();
  await ask(socket, "one");
  expect(proxy.silence()).toBe(1);
  let told = false;
  for (const event of ["data", "close", "end"])
    socket.on(event, () => {
      told = true;
    });
  socket.write("two");
  await new Promise((done) => setTimeout(done, 100));
  expect(heard).toEqual(["one"]);
  expect(told).toBe(false);
  expect(await ask(await client(), "three")).toBe("THREE");
});
