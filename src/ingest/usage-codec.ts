/**
 * Entries of the usage log as bytes: records resolved together. Record by record, ids as bytes, names as numbers of the
 * entry's table, and of the names only those that differ from the record before.
 */

import type { Modalities, Usage } from "../model/usage.ts";
import type { CostStatus, Operation, UsageRecord } from "../model/usage-record.ts";
import { type EntryReader, EntryWriter, readWhole } from "./entry-bytes.ts";
import { readSaid, type Said, writeSaid } from "./said-codec.ts";

/** Records resolved together. Without records it is a tick: it only tells the time. */
export interface UsageEntry extends Said {
  readonly arrivedAtMs: number;
  readonly records: readonly UsageRecord[];
}

/**
 * Version 2 had no hash of prompts, and nothing that is said beside records: its entries read as having neither. Version
 * 4 has what is learnt anew, and is written only for that: whatever reads version 3 reads everything else.
 */
const versions = { oldest: 2, usual: 3, newest: 4 } as const;
const recordBytesMax = 384;
const flagsSeparator = "\n";

/** Bits of a record's first byte. */
const has = { parent: 1, cost: 2, reported: 4, modalities: 8, promptHash: 16 } as const;

/**
 * The names of a record, in the order of the bits that say which of them changed; at most 32. One more may come last
 * under the same version: an entry of before has no such bit, which reads as "".
 */
function namesOf(record: UsageRecord, names: string[]): void {
  names[0] = record.tenant;
  names[1] = record.service;
  names[2] = record.environment;
  names[3] = record.feature;
  names[4] = record.user;
  names[5] = record.session;
  names[6] = record.agent;
  names[7] = record.run;
  names[8] = record.promptName;
  names[9] = record.promptVersion;
  names[10] = record.release;
  names[11] = record.operation;
  names[12] = record.provider;
  names[13] = record.model;
  names[14] = record.requestModel;
  names[15] = record.responseId;
  names[16] = record.finishReason;
  names[17] = record.status;
  names[18] = record.errorType;
  names[19] = record.tool;
  names[20] = record.toolArgsHash;
  names[21] = record.outcome;
  names[22] = record.costStatus;
  names[23] = record.flags.length === 0 ? "" : record.flags.join(flagsSeparator);
  names[24] = record.serviceTier;
  names[25] = record.priceTag;
  names[26] = record.instance;
}

const writer = new EntryWriter();

/** An entry as it is written into the log. Equal entries give equal bytes. */
export function encodeUsageEntry({ arrivedAtMs, records, ...said }: UsageEntry): Uint8Array<ArrayBuffer> {
  writer.begin((said.relearnt ?? []).length === 0 ? versions.usual : versions.newest, arrivedAtMs);
  writer.count(records.length);
  let before: string[] = [];
  let names: string[] = [];
  for (const record of records) {
    writer.reserve(recordBytesMax);
    namesOf(record, names);
    writeRecord(record);
    writeChanged(names, before);
    [before, names] = [names, before];
  }
  writeSaid(writer, said);
  return writer.end();
}

function writeRecord(record: UsageRecord): void {
  const { usage, costNanoUsd, reportedNanoUsd, parentSpanId } = record;
  const parent = parentSpanId === "" ? 0 : has.parent;
  const cost = costNanoUsd === null ? 0 : has.cost;
  const modalities = record.modalities === null ? 0 : has.modalities;
  const promptHash = record.promptHash === "" ? 0 : has.promptHash;
  writer.byte(parent | cost | (reportedNanoUsd === null ? 0 : has.reported) | modalities | promptHash);
  writer.hex(record.traceId, 16);
  writer.hex(record.spanId, 8);
  if (parentSpanId !== "") writer.hex(parentSpanId, 8);
  writer.count(record.startUs);
  writer.count(record.endUs - record.startUs);
  writer.signed(usage.input);
  writer.signed(usage.cacheRead);
  writer.signed(usage.cacheWrite5m);
  writer.signed(usage.cacheWrite1h);
  writer.signed(usage.output);
  writer.signed(usage.reasoning);
  writer.signed(record.calls);
  writer.count(record.revision);
  writer.count(record.repricings);
  writer.count(record.costCarry);
  writer.signed(record.images);
  writer.signed(record.audioMs);
  if (costNanoUsd !== null) writer.double(costNanoUsd);
  if (reportedNanoUsd !== null) writer.double(reportedNanoUsd);
  if (record.modalities !== null) writeModalities(record.modalities);
  if (record.promptHash !== "") writer.hex(record.promptHash, 8);
}

function readUsage(reader: EntryReader): Usage {
  return {
    input: reader.signed(),
    cacheRead: reader.signed(),
    cacheWrite5m: reader.signed(),
    cacheWrite1h: reader.signed(),
    output: reader.signed(),
    reasoning: reader.signed(),
  };
}

function writeModalities(modalities: Modalities): void {
  writer.signed(modalities.audioInput);
  writer.signed(modalities.audioCacheRead);
  writer.signed(modalities.audioOutput);
  writer.signed(modalities.imageInput);
  writer.signed(modalities.imageCacheRead);
  writer.signed(modalities.imageOutput);
}

function readModalities(reader: EntryReader): Modalities {
  return {
    audioInput: reader.signed(),
    audioCacheRead: reader.signed(),
    audioOutput: reader.signed(),
    imageInput: reader.signed(),
    imageCacheRead: reader.signed(),
    imageOutput: reader.signed(),
  };
}

function writeChanged(names: readonly string[], before: readonly string[]): void {
  let changed = 0;
  for (let index = 0; index < names.length; index++) if (names[index] !== before[index]) changed |= 1 << index;
  writer.uint32(changed >>> 0);
  for (let index = 0; index < names.length; index++)
    if ((changed & (1 << index)) !== 0) writer.text(names[index] ?? "", index);
}

/** An entry of the usage log. @throws OtherVersionEntry, CorruptEntry. */
export function decodeUsageEntry(payload: Uint8Array): UsageEntry {
  return readWhole(payload, versions, "usage", (reader, arrivedAtMs) => {
    const records = readRecords(reader);
    if (payload[0] === versions.oldest) return { arrivedAtMs, records };
    return { arrivedAtMs, records, ...readSaid(reader, payload[0] === versions.newest) };
  });
}

function readRecords(reader: EntryReader): readonly UsageRecord[] {
  const records = new Array<UsageRecord>(reader.length());
  const names: string[] = [];
  for (let index = 0; index < records.length; index++) records[index] = readRecord(reader, names);
  return records;
}

/** @param names those of the record before, which become those of this one. */
function readRecord(reader: EntryReader, names: string[]): UsageRecord {
  const bits = reader.byte();
  const traceId = reader.hex(16);
  const spanId = reader.hex(8);
  const parentSpanId = (bits & has.parent) === 0 ? "" : reader.hex(8);
  const startUs = reader.count();
  const endUs = startUs + reader.count();
  const usage = readUsage(reader);
  const calls = reader.signed() as UsageRecord["calls"];
  const revision = reader.count();
  const repricings = reader.count();
  const costCarry = reader.count();
  const images = reader.signed();
  const audioMs = reader.signed();
  const costNanoUsd = (bits & has.cost) === 0 ? null : reader.double();
  const reportedNanoUsd = (bits & has.reported) === 0 ? null : reader.double();
  const modalities = (bits & has.modalities) === 0 ? null : readModalities(reader);
  const promptHash = (bits & has.promptHash) === 0 ? "" : reader.hex(8);
  const changed = reader.uint32();
  for (let index = 0; index < 32; index++) if ((changed & (1 << index)) !== 0) names[index] = reader.text();
  const name = (index: number) => names[index] ?? "";
  return {
    tenant: name(0),
    service: name(1),
    environment: name(2),
    feature: name(3),
    user: name(4),
    session: name(5),
    agent: name(6),
    run: name(7),
    promptName: name(8),
    promptVersion: name(9),
    release: name(10),
    instance: name(26),
    traceId,
    spanId,
    parentSpanId,
    startUs,
    endUs,
    operation: name(11) as Operation,
    provider: name(12),
    model: name(13),
    requestModel: name(14),
    responseId: name(15),
    finishReason: name(16),
    status: name(17) as UsageRecord["status"],
    errorType: name(18),
    tool: name(19),
    toolArgsHash: name(20),
    promptHash,
    outcome: name(21),
    usage,
    modalities,
    images,
    audioMs,
    serviceTier: name(24),
    calls,
    costNanoUsd,
    costStatus: name(22) as CostStatus,
    priceTag: name(25),
    costCarry,
    reportedNanoUsd,
    revision,
    repricings,
    flags: name(23) === "" ? [] : name(23).split(flagsSeparator),
  };
}
