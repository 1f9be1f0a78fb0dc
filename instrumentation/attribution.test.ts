import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { currentAttribution, withAttribution } from "./attribution.ts";
import { decodeBaggage, encodeBaggage } from "./baggage.ts";
import { recordOutcome } from "./outcome.ts";
import { type Harness, startHarness } from "./testing/harness.ts";

let harness: Harness;
let inner: http.Server;
let innerUrl: string;
/** The provider under a name that is not allowed. */
let providerUrl: string;

beforeAll(async () => {
  harness = await startHarness({ BURNWATCH_BAGGAGE_HOSTS: "127.0.0.1, *.internal" });
  providerUrl = harness.provider.url.replace("127.0.0.1", "localhost");
  inner = http.createServer(async (_request, response) => {
    await call();
    response.end(JSON.stringify(currentAttribution()));
  });
  await new Promise<void>((resolve) => inner.listen(0, "127.0.0.1", resolve));
  innerUrl = `http://127.0.0.1:${(inner.address() as AddressInfo).port}/work`;
});
afterAll(async () => {
  inner.close();
  await harness.close();
});

async function call(): Promise<void> {
  const body = JSON.stringify({ model: "gpt-4o", messages: [] });
  await (await fetch(`${providerUrl}/v1/chat/completions`, { method: "POST", body })).json();
}

describe("withAttribution", () => {
  it("names the calls inside it, over await, timers and nested scopes, and none outside", async () => {
    const { spans } = await harness.during(async () => {
      await withAttribution({ tenant: "acme", feature: "chat", prompt: { name: "greet", version: "3" } }, async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        await call();
        await withAttribution({ feature: "search", user: "u1", run: "r1" }, call);
      });
      await call();
    });
    const [outer, nested, none] = spans.map((span) => span.attributes);
    expect(outer).toMatchObject({
      "burnwatch.tenant": "acme",
      "burnwatch.feature": "chat",
      "burnwatch.prompt.name": "greet",
      "burnwatch.prompt.version": "3",
    });
    expect(nested).toMatchObject({
      "burnwatch.tenant": "acme",
      "burnwatch.feature": "search",
      "user.id": "u1",
      "burnwatch.run.id": "r1",
    });
    expect(none?.["burnwatch.tenant"]).toBeUndefined();
  });

  it("keeps parallel work apart", async () => {
    const users = ["a", "b", "c", "d", "e"];
    const { spans } = await harness.during(() =>
      Promise.all(users.map((user) => withAttribution({ user, feature: user }, call))),
    );
    const pairs = spans.map(({ attributes }) => [attributes["user.id"], attributes["burnwatch.feature"]]);
    expect(pairs.every(([user, feature]) => user === feature)).toBe(true);
    expect(new Set(pairs.map(([user]) => user)).size).toBe(5);
  });

  it("values are cut to 256 characters and lose control characters", () => {
    const user = `a\r\nb\u0000${"x".repeat(400)}`;
    withAttribution({ user, tenant: undefined, session: 7 }, () => {
      expect(currentAttribution()).toEqual({ user: `ab${"x".repeat(254)}`, session: "7" });
    });
  });

  it("an outcome carries the attribution of its run and is no record", async () => {
    const { spans } = await harness.during(async () => {
      withAttribution({ run: "r9", tenant: "acme" }, () => {
        recordOutcome("ticket_solved", { value: 1, quality: 0.9, revenue: 12.5 });
      });
    });
    expect(spans[0]?.name).toBe("burnwatch.outcome");
    expect(spans[0]?.attributes).toEqual({
      "burnwatch.run.id": "r9",
      "burnwatch.tenant": "acme",
      "burnwatch.outcome": "ticket_solved",
      "burnwatch.outcome.value": 1,
      "burnwatch.outcome.quality": 0.9,
      "burnwatch.outcome.revenue_usd": 12.5,
    });
  });
});

describe("over HTTP hops", () => {
  it("fetch and http.request carry it to an allowed host, where it names the calls", async () => {
    const { spans } = await harness.during(async () => {
      await withAttribution({ tenant: "acme", user: "Zoë, 50%" }, () =>
        fetch(innerUrl).then((answer) => answer.text()),
      );
      await withAttribution({ tenant: "globex" }, () => get(innerUrl));
    });
    expect(spans.map(({ attributes }) => [attributes["burnwatch.tenant"], attributes["user.id"]])).toEqual([
      ["acme", "Zoë, 50%"],
      ["globex", undefined],
    ]);
  });

  it("it never goes to a host that is not allowed", async () => {
    const before = harness.provider.received.length;
    await harness.during(() => withAttribution({ tenant: "acme" }, call));
    const headers = harness.provider.received[before]?.headers;
    expect(headers?.["baggage"]).toBeUndefined();
  });

  it("it is not taken from a peer that is not allowed", async () => {
    const headers = { baggage: "burnwatch.tenant=evil" };
    expect(JSON.parse(await get(innerUrl, { headers, localAddress: "127.0.0.2" }))).toEqual({});
    expect(JSON.parse(await get(innerUrl, { headers }))).toEqual({ tenant: "evil" });
  });

  it("the application's own baggage stays beside it", () => {
    expect(encodeBaggage({ tenant: "a b" }, "own=1")).toBe("own=1,burnwatch.tenant=a%20b");
    expect(encodeBaggage({}, "own=1")).toBeUndefined();
    expect(encodeBaggage({ tenant: "\ud800" }, undefined)).toBe("burnwatch.tenant=%EF%BF%BD");
  });

  it("hostile baggage yields what is well-formed in it and no more", () => {
    const hostile = "=,;;,burnwatch.tenant=%zz,user.id=%0d%0aSet-Cookie,__proto__=x,burnwatch.feature=ok;p=1";
    expect(decodeBaggage(hostile)).toEqual({ user: "Set-Cookie", feature: "ok" });
    expect(decodeBaggage(`burnwatch.tenant=a,${"x".repeat(9000)}`)).toEqual({});
    expect(decodeBaggage(`burnwatch.tenant=${"y".repeat(5000)}`).tenant?.length).toBe(256);
  });
});

function get(url: string, options: http.RequestOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    http
      .get(url, options, (response) => {
        let text = "";
        response.on("data", (chunk) => {
          text += String(chunk);
        });
        response.on("end", () => resolve(text));
      })
      .on("error", reject);
  });
}
