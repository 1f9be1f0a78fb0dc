/** The partition of a key: the same in every process and version, or what belongs together would part. */

/** FNV-1a over UTF-16 units, folded, so that the lowest bits depend on all of the key. */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % partitions;
}
