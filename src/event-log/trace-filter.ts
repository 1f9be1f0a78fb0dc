/**
 * Which traces may have been seen: a Bloom filter that grows (Bloom 1970; blocks of a cache line as in Putze, Sanders and
 * Singler 2007). Nearly every trace is new, and to look for it in a tree of millions is a page that is in nobody's cache.
 * Two to four bytes a trace. Of those that were never added it takes some for seen, the more the more it has grown: 1 of
 * 200 with 60,000 traces and 1 of 40 with 2 million, of random ids; of others more. They are read in vain, no more.
 */

const firstCapacity = 65_536;
const bitsPerTrace = 16;
/** Of 32 bits, in a block of 64 bytes. */
const wordsPerBlock = 16;
const bitsOfBlock = 9;

interface Layer {
  readonly words: Uint32Array;
  readonly blocks: number;
  readonly capacity: number;
}

export class TraceFilter {
  /** Each twice as large as the one before; the last is being filled. */
  readonly #layers: Layer[] = [layerFor(firstCapacity)];
  #filled = 0;

  /** @param tenant its number, so that one id of two tenants is two traces. */
  add(tenant: number, traceId: string): void {
    let layer = this.#layers.at(-1) as Layer;
    if (this.#filled >= layer.capacity) {
      layer = layerFor(2 * layer.capacity);
      this.#layers.push(layer);
      this.#filled = 0;
    }
    this.#filled++;
    const { words, blocks } = layer;
    const first = firstWord(blocks, tenant, traceId);
    let bits = bitsOf(traceId);
    for (let bit = 0; bit < 3; bit++, bits >>>= bitsOfBlock) {
      const word = first + ((bits >>> 5) & (wordsPerBlock - 1));
      words[word] = (words[word] as number) | (1 << (bits & 31));
    }
  }

  /** False where it was certainly not added. */
  mayHave(tenant: number, traceId: string): boolean {
    const bits = bitsOf(traceId);
    for (const { words, blocks } of this.#layers) {
      const first = firstWord(blocks, tenant, traceId);
      if (
        isSet(words, first, bits) &&
        isSet(words, first, bits >>> bitsOfBlock) &&
        isSet(words, first, bits >>> (2 * bitsOfBlock))
      )
        return true;
    }
    return false;
  }
}

function layerFor(capacity: number): Layer {
  const blocks = (capacity * bitsPerTrace) / (wordsPerBlock * 32);
  return { words: new Uint32Array(blocks * wordsPerBlock), blocks, capacity };
}

function isSet(words: Uint32Array, first: number, bits: number): boolean {
  return ((words[first + ((bits >>> 5) & (wordsPerBlock - 1))] as number) & (1 << (bits & 31))) !== 0;
}

/** The block by the last eight digits, since some ids begin with the time. */
function firstWord(blocks: number, tenant: number, traceId: string): number {
  const hash = Math.imul(numberAt(traceId, 24) ^ Math.imul(tenant, 0x9e3779b1), 0x85ebca6b);
  return ((hash ^ (hash >>> 15)) & (blocks - 1)) * wordsPerBlock;
}

function bitsOf(traceId: string): number {
  const hash = Math.imul(numberAt(traceId, 16), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Eight hex digits as a number; of other characters some number, always the same. */
function numberAt(traceId: string, from: number): number {
  let value = 0;
  for (let index = from; index < from + 8; index++) {
    const code = traceId.charCodeAt(index);
    value = (value << 4) | ((code & 15) + (code >>> 6) * 9);
  }
  return value;
}
