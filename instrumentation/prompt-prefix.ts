/**
 * How much of a prompt repeats the one before it: providers cache prefixes, and a cache breaks where a prefix changes.
 * Only numbers and keyed hashes come out; texts are hashed in passing and not kept.
 */

import type { PromptFacts } from "./call.ts";
import type { KeyedHash } from "./keyed-hash.ts";

const blockCharacters = 64;
const blocksMax = 512;
const seriesMax = 512;
const hashedCharacters = 1024;
/** Blocks over the hashed beginning: their hashes include the boundaries between texts that stand in it. */
const hashedBlocks = hashedCharacters / blockCharacters;

export interface PromptPrefixes {
  /** Compares with the last prompt of the same series and takes its place. */
  measure(series: string, texts: readonly string[]): PromptFacts | null;
}

interface Remembered {
  readonly blocks: Int32Array;
  readonly prefixHash: string;
}

/**
 * Remembers block hashes of the last prompt of up to 512 series (feature, host, model). The stable prefix is counted
 * in whole blocks of 64 characters over the first 32,768; the hash is HMAC-SHA256 of the first 1,024, 16 hex digits.
 */
export function rememberPrefixes(hash: KeyedHash): PromptPrefixes {
  const bySeries = new Map<string, Remembered>();
  return {
    measure(series, texts) {
      const blocks = hashBlocks(texts);
      if (blocks === null) return null;
      const before = bySeries.get(series);
      // The same beginning as before has the same hash: system prompts repeat, and this is the dear part.
      const same = before !== undefined && blocks.length >= hashedBlocks && sameHead(before.blocks, blocks);
      const prefixHash = same ? before.prefixHash : hash(headOf(texts)).slice(0, 16);
      if (before === undefined && bySeries.size >= seriesMax) {
        for (const oldest of bySeries.keys()) {
          bySeries.delete(oldest);
          break;
        }
      }
      bySeries.set(series, { blocks, prefixHash });
      const stablePrefixCharacters = before === undefined ? undefined : commonCharacters(before.blocks, blocks);
      return { prefixHash, stablePrefixCharacters };
    },
  };
}

function sameHead(before: Int32Array, now: Int32Array): boolean {
  for (let at = 0; at < hashedBlocks; at += 1) if (before[at] !== now[at]) return false;
  return true;
}

function commonCharacters(before: Int32Array, now: Int32Array): number {
  let common = 0;
  while (common < before.length && common < now.length && before[common] === now[common]) common += 1;
  return common * blockCharacters;
}

function headOf(texts: readonly string[]): string {
  let head = "";
  for (const text of texts) {
    if (head.length >= hashedCharacters) break;
    head += `${text.slice(0, hashedCharacters - head.length)}\u0000`;
  }
  return head;
}

const scratch = new Int32Array(blocksMax);

/** FNV-1a over UTF-16 units, cumulative: equal hashes at a block mean equal texts up to there. Null without a text. */
function hashBlocks(texts: readonly string[]): Int32Array | null {
  let count = 0;
  let hash = 0x811c9dc5;
  let inBlock = 0;
  let any = false;
  for (const text of texts) {
    any ||= text !== "";
    for (let at = 0; at < text.length; at += 1) {
      hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
      inBlock += 1;
      if (inBlock < blockCharacters) continue;
      scratch[count] = hash;
      count += 1;
      inBlock = 0;
      if (count >= blocksMax) return scratch.slice(0, count);
    }
    hash = Math.imul(hash ^ 0xffff, 0x01000193);
  }
  return any ? scratch.slice(0, count) : null;
}
