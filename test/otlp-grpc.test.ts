/** OTLP/gRPC against a real server: what the exporter was told is stored is stored, also through SIGTERM and kill -9. */

import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Burnwatch, burnwatch, freePort, settle, sql, startBurnwatch } from "./support/burnwatch.ts";

let server: Burnwatch;
beforeAll(async () => {
  server = await startBurnwatch();
});
afterAll(() => server.remove());

/** A service whose spans go out by gRPC; `chat` resolves when the exporter has flushed. */
function service(tenant: string) {
  const exporter = new OTLPTraceExporter({ url: server.grpcUrl });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "bot", "burnwatch.tenant": tenant }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  return {
    async chat(calls: number): Promise<void> {
      for (let i = 0; i < calls; i++) {
        const attributes = {
          "gen_ai.operation.name": "chat",
          "gen_ai.provider.name": "openai",
          "gen_ai.request.model": "gpt-4o",
          "gen_ai.usage.input_tokens": 10,
          "gen_ai.usage.output_tokens": 1,
        };
        provider.getTracer("app").startSpan("chat gpt-4o", { attributes }).end();
      }
      await provider.forceFlush();
    },
    shutdown: () => provider.shutdown(),
  };
}

async function storedCalls(tenant: string): Promise<number> {
  await settle(server.apiUrl);
  const [row] = await sql(server.apiUrl, `SELECT sum(calls) AS calls FROM usage WHERE tenant = '${tenant}'`);
  return Number(row?.["calls"]);
}

it("stores what a real exporter sends by gRPC, and counts it by protocol", async () => {
  const bot = service("grpc");
  await bot.chat(20);
  expect(await storedCalls("grpc")).toBe(20);
  await bot.shutdown();
  const metrics = await (await fetch(`${server.apiUrl}/metrics`)).text();
  expect(metrics).toContain('burnwatch_otlp_requests_total{protocol="grpc",telemetry="traces",status="OK"} 1');
});

it("keeps what it has acknowledged through SIGTERM and kill -9, and the exporter finds the next server", async () => {
  const tenant = `kept-${randomBytes(4).toString("hex")}`;
  const bot = service(tenant);
  await bot.chat(5);
  expect(await server.stop()).toBe(0);
  await server.start();
  await bot.chat(5);
  await server.kill();
  await server.start();
  await bot.chat(5);
  expect(await storedCalls(tenant)).toBe(15);
  await bot.shutdown();
});

it("says in one line that the port is taken, and refuses to listen beyond loopback", async () => {
  const port = await freePort();
  const holder = createServer().listen(port, "127.0.0.1");
  const off = { BURNWATCH_API: "off", BURNWATCH_OTLP_HTTP: "off", BURNWATCH_CLICKHOUSE_HTTP: "off" };
  const closed = { ...off, BURNWATCH_LOG_LEVEL: "warn" };
  const data = `${server.directory}-second`;
  const taken = await burnwatch(["serve", "--data", data], { ...closed, BURNWATCH_OTLP_GRPC: `127.0.0.1:${port}` });
  holder.close();
  expect([taken.code, taken.stderr.trim()]).toEqual([
    1,
    `burnwatch serve: 127.0.0.1:${port} is in use by another process: choose another with otlp.grpc in the config, or stop what holds it`,
  ]);
  const beyond = await burnwatch(["serve", "--data", data], { ...closed, BURNWATCH_OTLP_GRPC: "0.0.0.0:4317" });
  expect(beyond.code).not.toBe(0);
  expect(beyond.stderr).toContain("loopback");
  rmSync(data, { recursive: true, force: true });
});
