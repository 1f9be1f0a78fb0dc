import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { createApiClient } from "./api-client.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.stop());

const client = (env: Record<string, string> = {}) => createApiClient({ api: server.url, env });
const numberSchema = z.object({ n: z.number() });

test("parameters repeat, undefined ones are left out, and a token goes along", async () => {
  server.answers["GET /api/v1/x"] = { body: { n: 1 } };
  const query = { where: ["a=b c", "d=e"], by: "m", until: undefined };
  expect(await client({ BURNWATCH_TOKEN: "secret" }).json({ path: "x", query }, numberSchema)).toEqual({ n: 1 });
  expect([...(server.asked[0]?.query ?? [])]).toEqual([
    ["where", "a=b c"],
    ["where", "d=e"],
    ["by", "m"],
  ]);
  expect(server.asked[0]?.headers.authorization).toBe("Bearer secret");
});

test("without a token no authorization is sent", async () => {
  server.answers["POST /api/v1/x"] = { body: { n: 1 } };
  await client({ BURNWATCH_TOKEN: "" }).json({ method: "POST", path: "x", body: { a: 1 } }, numberSchema);
  expect(server.asked[0]).toMatchObject({ body: '{"a":1}', headers: { "content-type": "application/json" } });
  expect(server.asked[0]?.headers.authorization).toBeUndefined();
});

test.each([
  [
    { status: 400, body: { error: { message: "unknown dimension", hint: "try model" } } },
    "unknown dimension",
    "try model",
  ],
  [{ status: 500, body: { error: { message: "broken" } } }, "broken", undefined],
  [{ status: 401, body: "" }, "wants a token it knows (HTTP 401)", "set BURNWATCH_TOKEN"],
  [{ status: 502, body: "<html>bad gateway" }, "answers HTTP 502: <html>bad gateway", undefined],
  [{ body: "not json" }, "answers x with something else than expected: the body", "is it a Burnwatch of this version?"],
  [{ body: { n: "1" } }, "something else than expected: n: ", "is it a Burnwatch of this version?"],
])("%j", async (answer, message, hint) => {
  server.answers["GET /api/v1/x"] = answer;
  const asking = client().json({ path: "x" }, numberSchema);
  await expect(asking).rejects.toThrow(message);
  await expect(asking).rejects.toMatchObject({ hint });
});

test("a server that does not answer in time is given up", async () => {
  server.answers["GET /api/v1/x"] = () => {};
  await expect(client().json({ path: "x", timeoutMs: 100 }, numberSchema)).rejects.toThrow(
    "did not answer within 0.1 s",
  );
});
