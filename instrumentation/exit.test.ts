import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeProvider, startFakeProvider } from "./testing/fake-provider.ts";
import { type OtlpReceiver, startOtlpReceiver } from "./testing/otlp-receiver.ts";
import { runSource } from "./testing/run-node.ts";

let provider: FakeProvider;
let receiver: OtlpReceiver;

beforeEach(async () => {
  provider = await startFakeProvider();
  receiver = await startOtlpReceiver();
});
afterEach(async () => {
  await provider.close();
  await receiver.close();
});

const call = (scenario = "") => `
  await fetch(process.env.PROVIDER + "/v1/chat/completions", {
    method: "POST",
    body: JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "scenario=${scenario}" }] }),
  }).then((response) => response.json());`;
const register = `import "./register.ts";`;
const env = () => ({ PROVIDER: provider.url, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: "shop" });

const sequences = () => receiver.spans.map((span) => span.attributes["burnwatch.record.sequence"]).filter(Boolean);
const mark = () => receiver.spans.find((span) => span.name === "burnwatch.final_mark");

describe("the end of a process", () => {
  it("records are numbered from 1 and the final mark says how many there were", async () => {
    const ran = await runSource(`${register}${call()}${call("error500")}${call()}`, { env: env() });
    expect(ran.code).toBe(0);
    expect(sequences()).toEqual([1, 2, 3]);
    expect(mark()?.attributes["burnwatch.record.final_sequence"]).toBe(3);
    const instances = new Set(receiver.spans.map((span) => span.resource["service.instance.id"]));
    expect(instances.size).toBe(1);
  });

  it("one line says where spans go and that no guard is active", async () => {
    const ran = await runSource(`${register}${call()}`, { env: env() });
    const lines = ran.stderr.split("\n").filter((line) => line.startsWith("burnwatch:"));
    expect(lines.length).toBe(1);
    expect(lines[0]).toContain(`${receiver.url}/v1/traces, service "shop"`);
    expect(lines[0]).toMatch(/SDKs seen: .*, guard inert/);
    expect(ran.stdout).toBe("");
  });

  it("SIGTERM flushes and still ends the process by that signal", async () => {
    const source = `${register}${call()}console.log("ready"); setInterval(() => {}, 1000);`;
    const ran = await runSource(source, { env: env(), signal: "SIGTERM" });
    expect(ran.signal).toBe("SIGTERM");
    expect(sequences()).toEqual([1]);
    expect(mark()).toBeDefined();
  });

  it("a signal that the application handles is left to it", async () => {
    const source = `${register}process.on("SIGTERM", () => { console.log("own"); clearInterval(timer); });
      ${call()}const timer = setInterval(() => {}, 1000); console.log("ready");`;
    const ran = await runSource(source, { env: env(), signal: "SIGTERM" });
    expect(ran.stdout).toContain("own");
    expect(ran.code).toBe(0);
    expect(mark()).toBeDefined();
  });

  it("process.exit() and an uncaught error deliver all the same", async () => {
    const exited = await runSource(`${register}${call()}${call()}process.exit(4);`, { env: env() });
    expect(exited.code).toBe(4);
    expect(sequences()).toEqual([1, 2]);
    expect(mark()?.attributes["burnwatch.record.final_sequence"]).toBe(2);
    expect(receiver.spans[0]?.resource["service.name"]).toBe("shop");
    expect(receiver.spans[0]?.attributes["gen_ai.usage.input_tokens"]).toBe(provider.truths[0]?.input);
    const thrown = await runSource(`${register}${call()}throw new Error("own");`, { env: env() });
    expect(thrown.code).toBe(1);
    expect(thrown.stderr).toContain("own");
    expect(sequences()).toEqual([1, 2, 1]);
  });

  it("flush() delivers before process.exit(), and nothing is sent twice", async () => {
    const source = `${register}import { flush } from "./index.ts";${call()}
      console.log(await flush()); process.exit(3);`;
    const ran = await runSource(source, { env: env() });
    expect(ran.code).toBe(3);
    expect(ran.stdout).toBe("true\n");
    expect(sequences()).toEqual([1]);
  });

  it("a call that never got an answer is a record of its own at the end", async () => {
    const source = `${register}fetch(process.env.PROVIDER + "/v1/chat/completions", { method: "POST",
      body: JSON.stringify({ model: "gpt-4o", messages: [], user: "scenario=hang" }) }).catch(() => {});
      setTimeout(() => console.log("ready"), 300);`;
    await runSource(source, { env: env(), signal: "SIGINT" });
    expect(receiver.spans[0]?.attributes["error.type"]).toBe("unfinished");
  });

  it("BURNWATCH_NODE_SDK=on starts sdk-node, whose spans become the parents of calls", async () => {
    const source = `${register}import { trace } from "@opentelemetry/api";
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await trace.getTracer("app").startActiveSpan("work", async (span) => { ${call()} span.end(); });`;
    await runSource(source, { env: { ...env(), BURNWATCH_NODE_SDK: "on", OTEL_TRACES_SAMPLER: "always_on" } });
    const work = receiver.spans.find((span) => span.name === "work");
    const chat = receiver.spans.find((span) => span.name === "chat gpt-4o");
    expect(work?.resource["service.name"]).toBe("shop");
    expect([chat?.traceId, chat?.parentSpanId]).toEqual([work?.traceId, work?.spanId]);
  });

  it("a model's host that is contacted past the interception is warned about once", async () => {
    const source = `${register}import { warnAboutUnseenCalls } from "./unseen-calls.ts";
      import { getRuntime } from "./runtime.ts"; import http from "node:http";
      warnAboutUnseenCalls(getRuntime(), 100);
      for (let i = 0; i < 3; i += 1) http.get("http://api.openai.com/v1/models").on("error", () => {});
      setTimeout(() => {}, 400);`;
    const ran = await runSource(source, { env: env() });
    expect(ran.stderr.match(/WARNING api.openai.com was contacted 0\.\d s ago and no call was seen/g)?.length).toBe(1);
  });

  it("the standard variables are read: endpoint of traces, headers, resource attributes, service name", async () => {
    const ran = await runSource(`${register}${call()}`, {
      env: {
        PROVIDER: provider.url,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/own/path`,
        OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20t0ken",
        OTEL_RESOURCE_ATTRIBUTES: "service.name=till,burnwatch.tenant=acme,deployment.environment.name=test",
      },
    });
    expect(ran.stderr).toContain(`${receiver.url}/own/path, service "till"`);
    expect(receiver.requests.map(({ path }) => path)).toEqual(["/own/path"]);
    expect(receiver.requests[0]?.headers["authorization"]).toBe("Bearer t0ken");
    expect(receiver.spans[0]?.resource).toMatchObject({
      "service.name": "till",
      "burnwatch.tenant": "acme",
      "deployment.environment.name": "test",
    });
    expect(ran.stderr).not.toContain("t0ken");
  });

  it("OTEL_SDK_DISABLED turns everything off", async () => {
    const ran = await runSource(`${register}${call()}`, { env: { ...env(), OTEL_SDK_DISABLED: "true" } });
    expect(ran.stderr).toBe("");
    expect(receiver.spans).toEqual([]);
  });
});

describe("a collector that is down", () => {
  it("costs one line and at most the stated time at exit", async () => {
    await receiver.close();
    const bare = await runSource(call(), { env: env() });
    const ran = await runSource(`${register}${call()}`, { env: env() });
    expect(ran.code).toBe(0);
    expect(ran.stderr.split("\n").filter((line) => line.includes("not reachable")).length).toBe(1);
    expect(ran.ms - bare.ms).toBeLessThan(3500);
  });

  it("is sent everything once when it is back; counters and one line each way say so", async () => {
    const port = Number(new URL(receiver.url).port);
    await receiver.close();
    setTimeout(async () => {
      receiver = await startOtlpReceiver(port);
    }, 4500);
    const source = `${register}import { stats } from "./index.ts"; ${call()}${call()}${call("error429")}
      const waiting = () => new Promise((resolve) => setTimeout(resolve, 50));
      while (stats().dropped === 0 && stats().delivered < 3) await waiting();
      console.log(JSON.stringify(stats()));`;
    const ran = await runSource(source, { env: env() });
    expect(JSON.parse(ran.stdout)).toEqual({
      calls: 3,
      recorded: 3,
      delivered: 3,
      waiting: 0,
      dropped: 0,
      faults: 0,
    });
    expect(sequences()).toEqual([1, 2, 3]);
    expect(ran.stderr.match(/not reachable/g)?.length).toBe(1);
    expect(ran.stderr.match(/collector reachable again, 0 records dropped so far/g)?.length).toBe(1);
  });

  it("one that never answers does not hold the process either", async () => {
    receiver.answer = "silent";
    const ran = await runSource(`${register}${call()}`, { env: env() });
    expect(ran.code).toBe(0);
    expect(ran.ms).toBeLessThan(5000);
  });
});
