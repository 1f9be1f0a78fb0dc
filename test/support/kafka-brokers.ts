/**
 * Kafka on the loopback with a proxy before each broker: one node, or several that are brokers and controllers alike and
 * keep a copy of everything each. Clients come through the proxies; brokers speak to each other directly.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  formatStorage,
  freePort,
  javaOptions,
  launchBroker,
  newClusterId,
  type RunningBroker,
} from "./kafka-broker.ts";
import { kafkaJars } from "./kafka-jars.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export interface TestBrokers {
  /** `host:port` of each proxy. */
  readonly addresses: readonly string[];
  /** `host:port` of each broker, behind its proxy. */
  readonly direct: readonly string[];
  readonly proxies: readonly TcpProxy[];
  /** Ends one without a word, or lets it hand over first. */
  end(index: number, how: "kill" | "terminate"): Promise<void>;
  /** Starts one again over its directory; resolves once it takes connections. */
  start(index: number): Promise<void>;
  /** Ends all of them and deletes their data. */
  stop(): Promise<void>;
}

interface Node {
  readonly id: number;
  readonly port: number;
  readonly directPort: number;
  readonly controllerPort: number;
  readonly proxy: TcpProxy;
  readonly properties: string;
}

/** @throws Error with what a broker said that did not start. */
export async function startBrokers(count: number): Promise<TestBrokers> {
  const found = await kafkaJars();
  if ("missing" in found) throw new Error(found.missing);
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-kafka-"));
  const java = [...javaOptions, "-cp", `${found.jars}/*`];
  const nodes: Node[] = [];
  for (let id = 1; id <= count; id++) {
    const [port, directPort, controllerPort] = [await freePort(), await freePort(), await freePort()];
    const proxy = await TcpProxy.listen();
    proxy.forwardTo(port);
    nodes.push({ id, port, directPort, controllerPort, proxy, properties: join(directory, `${id}.properties`) });
  }
  const clusterId = newClusterId();
  for (const node of nodes) {
    writeFileSync(node.properties, propertiesOf(node, nodes, join(directory, String(node.id))));
    await formatStorage(java, node.properties, { clusterId, words: [] });
  }
  const launch = ({ properties, port }: Node) => launchBroker([...java, "kafka.Kafka", properties], port);
  const running: (RunningBroker | undefined)[] = await Promise.all(nodes.map(launch));
  const nodeAt = (index: number): Node => {
    const node = nodes[index];
    if (node === undefined) throw new Error(`there is no broker ${index} of ${count}`);
    return node;
  };
  return {
    addresses: nodes.map(({ proxy }) => `127.0.0.1:${proxy.port}`),
    direct: nodes.map(({ directPort }) => `127.0.0.1:${directPort}`),
    proxies: nodes.map(({ proxy }) => proxy),
    async end(index, how) {
      await running[index]?.[how]();
      running[index] = undefined;
    },
    async start(index) {
      running[index] ??= await launch(nodeAt(index));
    },
    async stop() {
      await Promise.all(running.map((broker) => broker?.kill()));
      await Promise.all(nodes.map(({ proxy }) => proxy.close()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function propertiesOf(node: Node, nodes: readonly Node[], data: string): string {
  const { id, port, directPort, controllerPort, proxy } = node;
  const copies = nodes.length;
  const listeners = [
    `CLIENT://127.0.0.1:${port}`,
    `BROKER://127.0.0.1:${directPort}`,
    `CONTROLLER://127.0.0.1:${controllerPort}`,
  ];
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": id,
    listeners: listeners.join(","),
    "advertised.listeners": `CLIENT://127.0.0.1:${proxy.port},BROKER://127.0.0.1:${directPort}`,
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": nodes.map((one) => `${one.id}@127.0.0.1:${one.controllerPort}`).join(","),
    "log.dirs": data,
    "offsets.topic.replication.factor": copies,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": copies,
    "transaction.state.log.min.isr": Math.max(1, copies - 1),
    "transaction.state.log.num.partitions": 4,
    "group.initial.rebalance.delay.ms": 0,
    "auto.create.topics.enable": false,
    // A broker that went is missed after seconds: the default of nine is for networks.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    "replica.lag.time.max.ms": 5000,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}
