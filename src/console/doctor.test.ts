import { afterEach, beforeEach, expect, test } from "vitest";
import { checkNode, doctor, judgeDisk } from "./doctor.ts";
import { runForTest, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.stop());

const ofOneMachine = doctor(async () => ({ data: null, checks: null }));
const run = (args: string[] = [], env = {}) => runForTest(ofOneMachine, [...args, "--api", server.url], { env });

test("prints the checks of the machine and of the server, each with what to do", async () => {
  const checks = [
    { name: "prices", status: "warn", detail: "3 models have no price", advice: "add them to pricing/prices.json" },
    { name: "detection", status: "ok", detail: "0.2 s behind", advice: "" },
  ];
  server.answers["GET /api/v1/doctor"] = { body: { checks } };
  const { code, out } = await run();
  expect(code).toBe(0);
  expect(out).toContain(`ok    node: Node ${process.versions.node}\n`);
  expect(out).toContain(`ok    api: the server at ${server.url} answers\n`);
  expect(out).toContain("warn  prices: 3 models have no price\n      -> add them to pricing/prices.json\n");
  expect(out).toContain("ok    detection: 0.2 s behind\n");
});

test("a server that is not there is a failed check, not an error", async () => {
  await server.stop();
  const { code, out } = await run(["--json"]);
  expect(code).toBe(1);
  const { checks } = JSON.parse(out);
  expect(checks.find((check: { name: string }) => check.name === "api")).toMatchObject({
    status: "fail",
    detail: expect.stringContaining("(connection refused)"),
  });
  server = await startTestServer();
});

test("a data directory that is not there is worth a look", async () => {
  server.answers["GET /api/v1/doctor"] = { body: { checks: [] } };
  const { code, out } = await run([], { BURNWATCH_DATA: "/nowhere/at/all" });
  expect(code).toBe(0);
  expect(out).toContain("warn  free space: that of /nowhere/at/all is unknown");
  expect(out).toMatch(/\n1 to look at\n$/);
});

test("looks at the disk of the file's data directory, whatever the environment would say", async () => {
  const command = doctor(async (file) => ({ data: file === undefined ? null : "/of/the/file", checks: [] }));
  const { out } = await runForTest(command, ["--config", "cluster.yaml"], { env: {} });
  expect(out).toContain("warn  free space: that of /of/the/file is unknown");
});

test.each([
  ["24.21.0", "ok"],
  ["22.22.0", "ok"],
  ["22.21.1", "fail"],
  ["20.19.0", "fail"],
])("Node %s: %s", (version, status) => {
  expect(checkNode(version).status).toBe(status);
});

test.each([
  [100e9, "ok"],
  [3e9, "warn"],
  [0.5e9, "fail"],
])("%d free bytes: %s", (freeBytes, status) => {
  expect(judgeDisk("/data", freeBytes).status).toBe(status);
});
