import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { tail } from "./tail.ts";
import { capture, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.stop());

const call = (model: string) =>
  JSON.stringify({
    at: "2026-01-01T12:00:00.123Z",
    service: "shop",
    feature: "search",
    model,
    input_tokens: 12_345,
    output_tokens: 67,
    cost_usd: model === "mystery" ? null : "0.0123",
    status: "ok",
  });

function start(args: string[] = [], options = {}) {
  const stop = new AbortController();
  const captured = capture({ ...options, signal: stop.signal });
  return { ...captured, stop: () => stop.abort(), done: tail.run([...args, "--api", server.url], captured.io) };
}

test("prints calls as they arrive, over pieces and blank lines, and ends cleanly on ^C", async () => {
  server.answers["GET /api/v1/tail"] = (response) => {
    const text = `${call("gpt-4o")}\n\n${call("mystery")}\n`;
    response.write(text.slice(0, 30));
    setTimeout(() => response.write(text.slice(30)), 20);
  };
  const { out, err, stop, done } = start();
  await vi.waitFor(() => expect(out()).toContain("mystery"));
  stop();
  expect(await done).toBe(0);
  const lines = out().trimEnd().split("\n");
  expect(lines[0]).toMatch(/^time +service +feature +model +input +output +cost$/);
  expect(lines[1]).toMatch(/^\d\d:\d\d:00\.123 +shop +search +gpt-4o +12,345 +67 +\$0\.01230$/);
  expect(lines[2]).toMatch(/mystery .*unknown$/);
  expect(err()).toBe("");
});

test("--json passes lines on as they are", async () => {
  server.answers["GET /api/v1/tail"] = (response) => void response.write(`${call("m")}\n`);
  const { out, stop, done } = start(["--json"]);
  await vi.waitFor(() => expect(out()).toBe(`${call("m")}\n`));
  stop();
  expect(await done).toBe(0);
});

test("connects again after the server has gone, and says so", async () => {
  let connections = 0;
  server.answers["GET /api/v1/tail"] = (response) => {
    connections++;
    response.write(`${call(`model-${connections}`)}\n`);
    if (connections === 1) setTimeout(() => response.destroy(), 20);
  };
  const { out, err, stop, done } = start();
  await vi.waitFor(() => expect(out()).toContain("model-2"), { timeout: 5000 });
  stop();
  expect(await done).toBe(0);
  expect(err()).toMatch(/the connection ended \(.*\), trying again\n.*connected again/);
});

test("a line that is no call is said to be none", async () => {
  server.answers["GET /api/v1/tail"] = (response) => void response.write("oops\u001b[2J\n");
  const { err, stop, done } = start();
  await vi.waitFor(() => expect(err()).toBe("burnwatch tail: not understood: oops\ufffd[2J\n"));
  stop();
  await done;
});

test("calls that came too fast are counted", async () => {
  server.answers["GET /api/v1/tail"] = (response) => void response.write('{"skipped":7}\n');
  const { err, stop, done } = start();
  await vi.waitFor(() => expect(err()).toBe("burnwatch tail: 7 calls are not shown, they came too fast\n"));
  stop();
  await done;
});
