import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, startHarness } from "../testing/harness.ts";

/** Taken before the instrumentation patches them. */
const bareRequest = http.request;
let harness: Harness;
let server: http.Server;
let url: string;
/** Called when the client has an event: the server sends the next one only then. */
let arrived: () => void = () => {};
const eventsInAll = 6;

const hostileHeaders: readonly (readonly [string, string])[] = [
  ["content-type", 'text/event-stream; charset="\u00ff"; boundary=,;=\t'],
  ["x-ratelimit-remaining-tokens", "-1e999"],
  ["openai-processing-ms", "%7bjndi:ldap://x%7d"],
  ["x-request-id", "r".repeat(7000)],
  ["set-cookie", "a=1; Path=/"],
  ["set-cookie", "burnwatch.tenant=evil"],
  ["retry-after", "Wed, 99 Xxx"],
];

beforeAll(async () => {
  harness = await startHarness();
  server = http.createServer(async (request, response) => {
    request.resume();
    if (request.url?.startsWith("/hang") === true) return;
    response.writeHead(200, hostileHeaders.flat());
    for (let event = 0; event < eventsInAll; event += 1) {
      const next = new Promise<void>((resolve) => (arrived = resolve));
      response.write(`data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"${event}"}}]}\n\n`);
      await next;
    }
    response.end("data: [DONE]\n\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await harness.close();
});

const body = JSON.stringify({ model: "m", messages: [], stream: true });

async function streamOverFetch(fetcher: typeof fetch) {
  const response = await fetcher(`${url}/v1/chat/completions`, { method: "POST", body });
  const chunks: string[] = [];
  for await (const chunk of response.body ?? []) {
    chunks.push(Buffer.from(chunk).toString("utf8"));
    arrived();
  }
  return { chunks, headers: [...response.headers].filter(([name]) => name !== "date") };
}

function streamOverHttp(request: typeof http.request) {
  return new Promise<{ chunks: string[]; headers: string[] }>((resolve, reject) => {
    const sent = request(`${url}/v1/chat/completions`, { method: "POST" }, (response) => {
      const chunks: string[] = [];
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk.toString("utf8"));
        arrived();
      });
      const headers = response.rawHeaders.filter((value) => !/GMT$/.test(value));
      response.on("end", () => resolve({ chunks, headers }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** What became of a call that is never answered and given up after 50 ms. */
function giveUp(request: typeof http.request, how: "signal" | "timeout"): Promise<string> {
  return new Promise((resolve) => {
    const signal = how === "signal" ? { signal: AbortSignal.timeout(50) } : { timeout: 50 };
    const sent = request(`${url}/hang/v1/chat/completions`, { method: "POST", ...signal });
    sent.on("timeout", () => sent.destroy(new Error("my own time is over")));
    sent.on("error", (error: NodeJS.ErrnoException) => resolve(`${error.name} ${error.code} ${error.message}`));
    sent.end(body);
  });
}

describe("timing and headers stay what they were", () => {
  it("fetch: every event arrives before the next is sent, and hostile headers arrive as they are", async () => {
    const bare = await streamOverFetch(harness.bareFetch);
    const { spans } = await harness.during(async () => {
      expect(await streamOverFetch(fetch)).toEqual(bare);
    });
    expect(bare.chunks.length).toBeGreaterThanOrEqual(eventsInAll);
    expect(spans.length).toBe(1);
    expect(spans[0]?.attributes["gen_ai.response.id"]).toBe("c");
  });

  it("http.request: every event arrives before the next is sent, and hostile headers arrive as they are", async () => {
    const bare = await streamOverHttp(bareRequest);
    const { spans } = await harness.during(async () => {
      expect(await streamOverHttp(http.request)).toEqual(bare);
    });
    expect(bare.chunks.length).toBeGreaterThanOrEqual(eventsInAll);
    expect(spans.length).toBe(1);
  });
});

describe("a provider that never answers", () => {
  for (const how of ["signal", "timeout"] as const) {
    it(`http.request given up by ${how} ends with the same error, and one failed span`, async () => {
      const bare = await giveUp(bareRequest, how);
      const { spans } = await harness.during(async () => {
        expect(await giveUp(http.request, how)).toBe(bare);
      });
      expect(spans.length).toBe(1);
      expect(spans[0]?.failed).toBe(true);
      expect(JSON.stringify(spans[0]?.attributes)).not.toContain("my own time");
    });
  }
});
