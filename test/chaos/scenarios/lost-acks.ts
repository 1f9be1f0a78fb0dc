/** Connections that break after the request was stored and before the exporter hears of it: it must send again. */

import { connect, createServer, type Server, type Socket } from "node:net";
import { type Random, seededRandom } from "../../../src/ingest/otlp-random.ts";
import { type ScenarioResult, sleep, underLoad } from "./scenario.ts";

const loadMs = 6000;

export async function lostAcks(seed: number): Promise<ScenarioResult> {
  let proxy: CuttingProxy | undefined;
  const result = await underLoad(
    {
      scenario: "lost acks",
      seed,
      through: async ({ otlpPort }) => {
        proxy = await cuttingProxy(otlpPort, seededRandom(seed));
        return `http://127.0.0.1:${proxy.port}/v1/traces`;
      },
    },
    async ({ victim, fleet, note, fault }) => {
      await victim.start();
      fleet.start();
      await sleep(loadMs);
      proxy?.letPass();
      const cuts = proxy?.cuts() ?? 0;
      note(`${cuts} answers cut off`);
      if (cuts < 20) fault(`only ${cuts} answers were cut off: the scenario proves nothing`);
    },
  );
  proxy?.server.close();
  return result;
}

interface CuttingProxy {
  readonly server: Server;
  readonly port: number;
  cuts(): number;
  /** Cuts no more. */
  letPass(): void;
}

/** Passes requests on whole; every third answer or so ends in a closed connection instead, or after half of its bytes. */
async function cuttingProxy(target: number, random: Random): Promise<CuttingProxy> {
  let cuts = 0;
  let cutting = true;
  const end = (...sockets: readonly Socket[]) => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    client.on("error", () => end(client, upstream)).on("close", () => upstream.destroy());
    upstream.on("error", () => end(client, upstream)).on("close", () => client.end());
    client.on("data", (data) => upstream.write(data));
    upstream.on("data", (data) => {
      if (!cutting || random(3) > 0) return client.write(data);
      cuts++;
      if (random(2) === 0) client.write(data.subarray(0, random(data.length)));
      return end(client, upstream);
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    server,
    port,
    cuts: () => cuts,
    letPass: () => {
      cutting = false;
    },
  };
}
