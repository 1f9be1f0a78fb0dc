/** Every place where a cluster is killed or disturbed, in the order of a campaign. */

import { type ClusterFault, clusterFaults } from "./cluster-faults.ts";
import { type Phase, phases, type Step } from "./places.ts";

/** Each twice. */
export const clusterRoles = ["writer", "resolver", "detector", "alerter", "collector"] as const;

export type ClusterRole = (typeof clusterRoles)[number];

export interface ClusterPlace {
  readonly name: string;
  /** Null for what happens around the processes. */
  readonly role: ClusterRole | null;
  readonly how: "failpoint" | "random" | "memory-lost" | "restart" | "fault";
  readonly step?: Step;
  readonly phase?: Phase;
  readonly fault?: ClusterFault;
}

const stepsOf: Readonly<Record<ClusterRole, readonly Step[]>> = {
  collector: ["spans.append"],
  resolver: ["usage.commit"],
  writer: ["plan.save", "store.insert", "offset.save"],
  detector: ["detection.save"],
  alerter: ["alerts.save"],
};
const order = ["collector", "resolver", "writer", "detector", "alerter"] as const satisfies readonly ClusterRole[];

export const clusterPlaces: readonly ClusterPlace[] = [
  ...order.flatMap((role) =>
    stepsOf[role].flatMap((step) =>
      phases.map((phase) => ({ name: `${role}: ${step} ${phase}`, role, how: "failpoint" as const, step, phase })),
    ),
  ),
  ...order.map((role) => ({ name: `${role}: random`, role, how: "random" as const })),
  { name: "resolver: random, its disk lost", role: "resolver", how: "memory-lost" },
  { name: "broker: kill -9 and restart", role: null, how: "restart" },
  ...clusterFaults.map((fault) => ({ name: fault.name, role: null, how: "fault" as const, fault })),
];

/** In the middle of an incident: where whoever judges or tells dies, and where these are cut off from each other. */
export function disturbsAlerts({ role, name }: ClusterPlace): boolean {
  return role === "detector" || role === "alerter" || incidentFaults.has(name);
}

const incidentFaults = new Set([
  "broker: kill -9 and restart",
  "broker: connections cut",
  "clickhouse: stopped",
  "all: one more of each joins and leaves",
]);
