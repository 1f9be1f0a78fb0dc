/**
 * A process of a cluster that can be told where to die, also while it runs: the real parts, with somebody between them and
 * the brokers and the store.
 */

import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { rolesOf, startRoles } from "../../src/cluster/roles.ts";
import { readConfig } from "../../src/config.ts";
import type { KafkaClient, KafkaTransactions } from "../../src/event-log/kafka-client.ts";
import { openStore } from "../../src/server.ts";
import type { Store } from "../../src/store/store.ts";
import { kafkaClients } from "../support/kafka-clients.ts";
import type { Failpoint, Step } from "./places.ts";
import { over, type Passing, passing } from "./stand-between.ts";

/** A deliberate mistake that the harness must notice. */
export type ClusterMutation = "no-token" | "no-plan" | "offset-before-insert" | "ack-before-send" | "memory-dropped";

const log = pino({ level: process.env["BURNWATCH_LOG_LEVEL"] ?? "error" }, pino.destination({ dest: 2, sync: true }));
const mutation = process.env["CHAOS_MUTATION"] as ClusterMutation | undefined;
// A process whose parent is gone would hold ports and partitions for ever.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));

let pass: Passing = passing(null);
process.on("message", (failpoint: Failpoint) => {
  pass = passing(failpoint);
});

try {
  const config = readConfig(undefined, process.env);
  const roles = rolesOf(process.env["CHAOS_ROLES"], config);
  if (roles === null) throw new Error("CHAOS_ROLES names no part");
  const open = kafkaClients[process.env["CHAOS_KAFKA_CLIENT"] ?? "kafkajs"];
  if (open === undefined) throw new Error("CHAOS_KAFKA_CLIENT names no client");
  const client = between(open({ brokers: config.kafkaBrokers ?? [], clientId: "chaos" }), config.kafkaPrefix);
  const running = await startRoles({
    config,
    log,
    roles,
    client,
    version: "chaos",
    terminal: { write: () => undefined, colours: false },
    openStore: async (of) => storeBetween(await openStore(of)),
  });
  process.once("SIGTERM", async () => {
    await running.stop();
    await client.close();
    process.exit(0);
  });
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}

function between(real: KafkaClient, prefix: string): KafkaClient {
  return over(real, {
    producer: async () => {
      const producer = await real.producer();
      return over(producer, {
        send: (messages) => {
          const send = () => pass("spans.append", () => producer.send(messages));
          if (mutation !== "ack-before-send") return send();
          setTimeout(() => void send().catch(() => undefined), 200);
          return Promise.resolve();
        },
      });
    },
    transactions: async (id) => transactionsBetween(await real.transactions(id), prefix),
  });
}

function transactionsBetween(real: KafkaTransactions, prefix: string): KafkaTransactions {
  return over(real, {
    commit: (messages, commit) => {
      const step = stepOf(commit.group.slice(prefix.length + 1), commit.metadata);
      if (step === "plan.save" && mutation === "no-plan") return Promise.resolve([]);
      if (step === "plan.save" && mutation === "offset-before-insert") {
        const { log: of, mark } = JSON.parse(commit.metadata) as { log: string; mark: { plan: { to: number } } };
        const done = { offset: mark.plan.to, plan: null };
        const metadata = JSON.stringify({ log: of, mark: done });
        return real.commit(messages, { ...commit, offset: done.offset, metadata });
      }
      const kept =
        mutation === "memory-dropped" ? messages.filter(({ topic }) => topic !== `${prefix}.memory`) : messages;
      const commitKept = async () => {
        const offsets = await real.commit(kept, commit);
        // What was not sent is answered as if it had been.
        return messages.map((_, index) => offsets[index] ?? 0);
      };
      return step === undefined ? commitKept() : pass(step, commitKept);
    },
  });
}

function storeBetween(real: Store): Store {
  return over(real, {
    insert: (batch) => {
      const token = mutation === "no-token" ? `${batch.token}-${randomUUID()}` : batch.token;
      return pass("store.insert", () => real.insert({ ...batch, token }));
    },
  });
}

/** Undefined for what is not among the places. */
function stepOf(group: string, metadata: string): Step | undefined {
  if (group === "resolver") return "usage.commit";
  if (group === "alerter") return "alerts.save";
  if (group.startsWith("detector")) return "detection.save";
  if (group !== "writer") return undefined;
  return metadata.includes('"plan":null') ? "offset.save" : "plan.save";
}
