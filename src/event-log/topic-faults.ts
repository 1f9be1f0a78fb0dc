/** What is wrong with a topic, and what to do about it. Pure. */

import type { TopicSpec } from "./kafka-client.ts";
import type { TopicState } from "./kafka-operator.ts";

export interface TopicFault {
  /** What is, and what was expected. */
  readonly fault: string;
  readonly advice: string;
  /** False for what loses nothing as long as nothing else fails. */
  readonly severe: boolean;
}

/** How the settings that hold numbers may differ: more is no harm, or less is none. */
const atLeast = new Set(["max.message.bytes", "min.insync.replicas", "retention.ms"]);
const atMost = new Set(["segment.ms"]);
/** Of the log of what is stored, more is harm too: see `usageKeptMs`. */
const severeSettings = new Set([
  "cleanup.policy",
  "max.message.bytes",
  "retention.ms",
  "segment.ms",
  "unclean.leader.election.enable",
]);

/** In the order in which they should be mended; none where all is well. @param state undefined where there is no topic. */
export function topicFaults(spec: TopicSpec, state: TopicState | undefined): readonly TopicFault[] {
  if (state === undefined)
    return [{ fault: "is missing", advice: "start a process of the cluster: it makes its topics", severe: true }];
  const { topic } = spec;
  const found = state.partitions.length;
  const faults: TopicFault[] = [];
  if (found !== spec.partitions)
    faults.push({
      fault: `has ${found} partitions, expected ${spec.partitions}`,
      advice: `set kafka.partitions to ${found} everywhere, or choose another kafka.prefix: a key's partition depends on their number`,
      severe: true,
    });
  const leaderless = state.partitions.filter(({ leader }) => leader === null).map(({ partition }) => partition);
  if (leaderless.length > 0)
    faults.push({
      fault: `nobody leads ${partitionsText(leaderless)}`,
      advice: "start the brokers that have it",
      severe: true,
    });
  const lagging = state.partitions.filter(({ replicas, inSync }) => inSync.length < replicas.length);
  if (lagging.length > 0)
    faults.push({
      fault: `copies of ${partitionsText(lagging.map(({ partition }) => partition))} are not in sync`,
      advice: "look after the brokers that are away or behind",
      severe: false,
    });
  const fewest = Math.min(...state.partitions.map(({ replicas }) => replicas.length));
  if (fewest < spec.replicas)
    faults.push({
      fault: `has ${fewest} copies, expected ${spec.replicas}`,
      advice: "reassign its partitions (kafka-reassign-partitions), or set kafka.replicas to what is meant",
      severe: false,
    });
  return [...faults, ...settingFaults(topic, spec.settings, state.settings)];
}

function settingFaults(
  topic: string,
  expected: TopicSpec["settings"],
  found: TopicState["settings"],
): readonly TopicFault[] {
  if (found === null)
    return [
      {
        fault: "its settings may not be read",
        advice: "allow the user DescribeConfigs on it: nobody can say how long it is kept",
        severe: false,
      },
    ];
  return Object.entries(expected).flatMap(([name, value]) => {
    const is = found[name];
    if (is === undefined || is === value) return [];
    // -1 is without end.
    const enough =
      (atLeast.has(name) && (Number(is) >= Number(value) || (name === "retention.ms" && is === "-1"))) ||
      (atMost.has(name) && Number(is) <= Number(value));
    const tooLong = name === "retention.ms" && topic.endsWith(".usage") && enough;
    if (enough && !tooLong) return [];
    const why =
      tooLong || (name === "segment.ms" && topic.endsWith(".usage"))
        ? " (brokers forget an absent group's place after seven days: a log that is kept longer is stored twice)"
        : "";
    const advice = `kafka-configs --alter --entity-type topics --entity-name ${topic} --add-config ${name}=${value}`;
    return [
      {
        fault: `${name} is ${is}, expected ${value}${why}`,
        advice,
        severe: severeSettings.has(name),
      },
    ];
  });
}

/**
 * How long the topic that keeps its records longest keeps them: milliseconds, with the segment that goes whole.
 * @param settings as they are, or as they should be where that is not known.
 */
export function keptMsMost(settings: readonly TopicSpec["settings"][]): number {
  const kept = settings.map(({ "retention.ms": retention, "segment.ms": segment }) =>
    retention === "-1" ? Number.POSITIVE_INFINITY : Number(retention) + Number(segment),
  );
  return Math.max(...kept);
}

function partitionsText(partitions: readonly number[]): string {
  const shown = partitions.slice(0, 5).join(", ");
  return `partition ${shown}${partitions.length > 5 ? ` and ${partitions.length - 5} more` : ""}`;
}
