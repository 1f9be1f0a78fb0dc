/** `burnwatch dead-letter`: entries that could not be read, why, and putting them back. */

import { decodeClaims } from "../detection/fold-claims.ts";
import type { DeadLetter } from "../event-log/dead-letter.ts";
import { KafkaDeadLetters, type ListedLetter, type Replayed } from "../event-log/kafka-dead-letters.ts";
import type { KafkaTopics } from "../event-log/kafka-topics.ts";
import { CorruptEntry } from "../event-log/unreadable-entry.ts";
import { decodeMetricEntry } from "../ingest/metrics/metric-entry.ts";
import { decodeNumbers } from "../ingest/producer-numbers.ts";
import { restoreEntry } from "../ingest/restore-entry.ts";
import { type Command, type CommandIo, defineCommand, UsageError } from "./command.ts";
import { ClusterError, clusterOption, type OpenCluster, withCluster } from "./operated-cluster.ts";
import { plainText, renderTable, tableOptions } from "./table.ts";

const idsMax = 1000;
const shownBytes = 512;
const bytesPerLine = 16;

/** Over the cluster that `open` finds. */
export function deadLetter(open: OpenCluster): Command {
  return defineCommand({
    name: "dead-letter",
    summary: "Of a cluster: entries that could not be read, why, and putting them back after a fix.",
    positional: "list|show|replay [ID...]",
    positionalsMax: idsMax,
    about: `An entry that no version can have written is put aside with the place it stood at, in the transaction that moves past
it, and the rest goes on. Letters are kept for 30 days. replay puts them back where they stood, each once, whoever else
tries; a letter that this version cannot read either stays.`,
    options: {
      all: { type: "boolean", help: "replay: every letter that was not put back" },
      raw: { type: "boolean", help: "show: the bytes as they are, and nothing else" },
      json: { type: "boolean", help: "the answer as JSON" },
      ...clusterOption,
    },
    examples: ["burnwatch dead-letter", "burnwatch dead-letter show 17", "burnwatch dead-letter replay 17 18"],
    run({ values, positionals: [action = "list", ...words] }, io) {
      const ids = words.map(idOf);
      const all = values.all === true;
      const expected = { list: ids.length === 0, show: ids.length === 1, replay: ids.length > 0 !== all };
      if (!Object.hasOwn(expected, action) || !expected[action as keyof typeof expected])
        throw new UsageError("expected list, show ID, replay ID... or replay --all");
      return withCluster(open, { config: values.config, io }, async ({ client, prefix, topics }) => {
        const letters = new KafkaDeadLetters({ client, prefix, topics, now: Date.now });
        const asJson = values.json === true;
        if (action === "list") return list(letters, { asJson, io });
        if (action === "show") return show(letters, { id: ids[0] ?? 0, raw: values.raw === true, io });
        const asked = all ? (await letters.list()).filter(isParked).map(({ id }) => id) : ids;
        return replay(letters, { ids: asked, topics, asJson, io });
      });
    },
  });
}

function idOf(word: string): number {
  if (/^\d{1,15}$/.test(word)) return Number(word);
  throw new UsageError(`${word}: expected the number of a letter, as burnwatch dead-letter lists it`);
}

function isParked({ replayedAtMs }: ListedLetter): boolean {
  return replayedAtMs === null;
}

async function list(letters: KafkaDeadLetters, { asJson, io }: Asked): Promise<number> {
  const found = await letters.list();
  if (asJson) {
    io.stdout.write(`${JSON.stringify({ letters: found.map(jsonOf) })}\n`);
    return 0;
  }
  if (found.length === 0) {
    io.stdout.write("No dead letters.\n");
    return 0;
  }
  const columns = [
    { title: "id", align: "right" },
    { title: "put aside" },
    { title: "from" },
    { title: "bytes", align: "right" },
    { title: "put back" },
    { title: "reason" },
  ] as const;
  const rows = found.map((letter) => [
    String(letter.id),
    timeOf(letter.parkedAtMs),
    placeOf(letter),
    String(letter.bytes),
    letter.replayedAtMs === null ? "" : timeOf(letter.replayedAtMs),
    letter.reason,
  ]);
  io.stdout.write(renderTable(columns, rows, tableOptions(io.stdout, io.env)));
  return 0;
}

interface Asked {
  readonly asJson: boolean;
  readonly io: CommandIo;
}

async function show(
  letters: KafkaDeadLetters,
  { id, raw, io }: { readonly id: number; readonly raw: boolean; readonly io: CommandIo },
): Promise<number> {
  const letter = await letters.read(id);
  if (letter === undefined)
    throw new ClusterError(`there is no letter ${id}`, { hint: "burnwatch dead-letter lists them" });
  if (raw) {
    io.stdout.write(letter.payload);
    return 0;
  }
  const { payload, reason, parkedAtMs } = letter;
  io.stdout.write(
    `letter ${id}: ${placeOf(letter)}, put aside ${timeOf(parkedAtMs)}\n${plainText(reason)}\n${payload.length} bytes${payload.length > shownBytes ? `, the first ${shownBytes}` : ""}\n${hexDump(payload.subarray(0, shownBytes))}`,
  );
  return 0;
}

async function replay(
  letters: KafkaDeadLetters,
  { ids, topics, asJson, io }: Asked & { readonly ids: readonly number[]; readonly topics: KafkaTopics },
): Promise<number> {
  const replayed = await letters.replay(ids, (letter) => restored(letter, topics));
  if (asJson) io.stdout.write(`${JSON.stringify({ replayed: replayed.done, unreadable: replayed.unreadable })}\n`);
  else io.stdout.write(textOf(ids, replayed));
  return replayed.done.length === ids.length ? 0 : 1;
}

/** @throws CorruptEntry, OtherVersionEntry where it has to stay. */
function restored({ topic, payload }: DeadLetter, topics: KafkaTopics): Uint8Array {
  if (topic === topics.spans) return restoreEntry("spans", payload, Date.now());
  // Sums look like records.
  if (topic === topics.usage || topic === topics.deltas) return restoreEntry("usage", payload, Date.now());
  const check = {
    [topics.claims]: decodeClaims,
    [topics.metrics]: decodeMetricEntry,
    [topics.numbers]: decodeNumbers,
  }[topic];
  if (check === undefined) throw new CorruptEntry(`a letter of ${topic}, which is no log of this cluster`);
  check(payload);
  return payload;
}

function textOf(ids: readonly number[], { done, unreadable, takenOver }: Replayed): string {
  const told = new Map([
    ...done.map((id) => [id, "put back"] as const),
    ...unreadable.map(({ id, reason }) => [id, `this version cannot read it either: ${reason}`] as const),
  ]);
  const rest = takenOver ? "left to another who puts letters back" : "was put back before, or is not there";
  const line = (id: number) => `${id}: ${told.get(id) ?? rest}\n`;
  return ids.length === 0 ? "Nothing to put back.\n" : ids.map(line).join("");
}

function jsonOf({ id, topic, partition, offset, bytes, reason, parkedAtMs, replayedAtMs }: ListedLetter) {
  const times = { at: timeOf(parkedAtMs), replayed_at: replayedAtMs === null ? null : timeOf(replayedAtMs) };
  return { id, topic, partition, offset, bytes, reason, ...times };
}

function placeOf({ topic, partition, offset }: Pick<DeadLetter, "topic" | "partition" | "offset">): string {
  return `${topic}/${partition}@${offset}`;
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Sixteen bytes a line, in hex and as far as they are letters. */
function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += bytesPerLine) {
    const line = Buffer.from(bytes.subarray(at, at + bytesPerLine));
    const hex = (line.toString("hex").match(/../g) ?? []).join(" ").padEnd(bytesPerLine * 3);
    lines.push(`  ${String(at).padStart(5)}  ${hex} ${line.toString("latin1").replaceAll(/[^\x20-\x7e]/g, ".")}\n`);
  }
  return lines.join("");
}
