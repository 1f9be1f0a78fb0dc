/** What goes wrong between the parts of a cluster, and around them, without any of them dying. */

import type { Random } from "../../src/ingest/otlp-random.ts";
import type { Faults } from "../support/cluster.ts";
import type { Verdict } from "../support/tcp-proxy.ts";
import type { Victim } from "./victim.ts";

export interface FaultSurroundings extends Faults {
  readonly random: Random;
  /** How long ClickHouse stands still. */
  readonly stoppedMs: number;
  /** One more process of each role, started. */
  more(): Promise<readonly Victim[]>;
}

export interface ClusterFault {
  readonly name: string;
  /** Brokers that it takes; one by default. */
  readonly brokersMin?: number;
  /** True when it happened as meant. */
  run(around: FaultSurroundings): Promise<boolean>;
}

/** Requests of Kafka's protocol, by number. */
const [produceKey, endTransactionKey] = [0, 26];
const requestsWithinMs = 20_000;
const requestsLost = 4;
const slowMs = 5000;
const rebalancedMs = 6000;
const brokerAwayMs = 6000;
/** Parts of one day that are too many while none are merged. */
const partsMax = 3;

export const clusterFaults: readonly ClusterFault[] = [
  { name: "clickhouse: stopped", run: (around) => clickhouseAway(around, "terminate", around.stoppedMs) },
  { name: "clickhouse: kill -9 and restart", run: (around) => clickhouseAway(around, "kill", 0) },
  {
    name: "clickhouse: answers lost after the insert",
    run: ({ proxy }) => onRequests([proxy], isInsert, "lose-answer"),
  },
  { name: "clickhouse: cut within the insert", run: ({ proxy }) => onRequests([proxy], isInsert, "cut") },
  { name: "clickhouse: half-open", run: ({ proxy }) => onConnections(() => proxy.silence()) },
  { name: "clickhouse: slow", run: ({ proxy }) => slow([proxy]) },
  { name: "clickhouse: too many parts", run: tooManyParts },
  {
    name: "broker: transactions cut before their end",
    run: ({ brokers }) => onRequests(brokers.proxies, isRequest(endTransactionKey), "cut"),
  },
  {
    name: "broker: answers to transactions' ends lost",
    run: ({ brokers }) => onRequests(brokers.proxies, isRequest(endTransactionKey), "lose-answer"),
  },
  {
    name: "broker: answers to appends lost",
    run: ({ brokers }) => onRequests(brokers.proxies, isRequest(produceKey), "lose-answer"),
  },
  {
    name: "broker: connections cut",
    run: ({ brokers }) => onConnections(() => sum(brokers.proxies.map((one) => one.cut()))),
  },
  {
    name: "broker: half-open",
    run: ({ brokers, random }) => onConnections(() => any(brokers.proxies, random).silence()),
  },
  { name: "broker: slow", run: ({ brokers }) => slow(brokers.proxies) },
  { name: "all: one more of each joins and leaves", run: rebalance },
  { name: "brokers: one killed", brokersMin: 3, run: (around) => brokerAway(around, "kill") },
  { name: "brokers: one hands over", brokersMin: 3, run: (around) => brokerAway(around, "terminate") },
];

async function clickhouseAway({ clickhouse }: Faults, how: "terminate" | "kill", forMs: number): Promise<boolean> {
  await clickhouse.end(how);
  await sleep(forMs);
  await clickhouse.start();
  return true;
}

/** What is done to all connections, once there are any: a writer between two inserts may have none. */
async function onConnections(fault: () => number): Promise<boolean> {
  const deadline = performance.now() + requestsWithinMs;
  for (let met = fault(); ; met = fault()) {
    if (met > 0) return true;
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
}

/** Some of the requests of one kind meet this, never two in a row: what is tried again shall succeed one day. */
async function onRequests(
  proxies: FaultSurroundings["brokers"]["proxies"],
  meant: (request: Buffer) => boolean,
  verdict: Verdict,
): Promise<boolean> {
  let seen = 0;
  for (const proxy of proxies)
    proxy.watch((request) => (meant(request) && ++seen % 2 === 1 && seen < 2 * requestsLost ? verdict : "pass"));
  const deadline = performance.now() + requestsWithinMs;
  while (seen < 2 * requestsLost && performance.now() < deadline) await sleep(50);
  for (const proxy of proxies) proxy.heal();
  return seen >= 2 * requestsLost;
}

/** The token stands in the first line of the request. */
function isInsert(request: Buffer): boolean {
  return request.includes("insert_deduplication_token");
}

/** A request begins with its length, then its kind; the library writes each in one piece. */
function isRequest(key: number) {
  return (request: Buffer) => request.length > 6 && request.readInt16BE(4) === key;
}

async function slow(proxies: FaultSurroundings["brokers"]["proxies"]): Promise<boolean> {
  for (const proxy of proxies) proxy.delay(150);
  await sleep(slowMs);
  for (const proxy of proxies) proxy.heal();
  return true;
}

/** The server refuses inserts until it may merge again. */
async function tooManyParts({ clickhouse, database }: Faults): Promise<boolean> {
  const command = async (sql: string) => {
    const answer = await fetch(`${clickhouse.url}/?database=${database}`, { method: "POST", body: sql });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${sql}: ${text}`);
    return text;
  };
  const refused = async () =>
    Number(await command("SELECT sum(value) FROM system.errors WHERE name = 'TOO_MANY_PARTS'"));
  const before = await refused();
  await command("SYSTEM STOP MERGES usage_records");
  await command(`ALTER TABLE usage_records MODIFY SETTING parts_to_throw_insert = ${partsMax}`);
  await sleep(slowMs);
  await command("ALTER TABLE usage_records RESET SETTING parts_to_throw_insert");
  await command("SYSTEM START MERGES usage_records");
  return (await refused()) > before;
}

async function rebalance({ more }: FaultSurroundings): Promise<boolean> {
  const joined = await more();
  await sleep(rebalancedMs);
  for (const one of joined) await one.stop();
  return joined.length > 0;
}

async function brokerAway({ brokers, random }: FaultSurroundings, how: "kill" | "terminate"): Promise<boolean> {
  const index = random(brokers.proxies.length);
  await brokers.end(index, how);
  await sleep(brokerAwayMs);
  await brokers.start(index);
  return true;
}

function any<Item>(items: readonly Item[], random: Random): Item {
  const item = items[random(items.length)];
  if (item === undefined) throw new Error("nothing to choose from");
  return item;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
