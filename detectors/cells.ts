/**
 * Numbers of many states side by side in a few large arrays. A typed array of one's own takes 200 to 300 bytes besides its
 * numbers, lies anywhere in memory and is visited by every collection; a block of cells is a place in a page.
 *
 * Whoever takes a block gives it back: nothing else does.
 */

/** A row of 32-bit numbers. Plain data: a copy of it has its own page, or shares the page of what is copied with it. */
export interface Block {
  cells: Float32Array;
  at: number;
  length: number;
  /** Where it was taken from; null when its page is its own. */
  readonly store: CellStore | null;
}

/** Plain data. */
export interface CellStore {
  readonly pages: Float32Array[];
  /** Cells of the last page that were ever taken. */
  used: number;
  /** Blocks given back: by length in steps, the page and the first cell of each, in turn. */
  readonly free: number[][];
  /** Cells that are taken now. */
  taken: number;
}

/** Lengths are rounded up to whole steps, so that what one gives back fits another. */
const step = 4;
/** Pages double up to a megabyte: a small fleet has a small snapshot. */
const pageLengthMin = 1024;
const pageLengthMax = 2 ** 18;

/** A store without a page. */
export function newCellStore(): CellStore {
  return { pages: [], used: 0, free: [], taken: 0 };
}

/** A block of zeros, from a store or with a page of its own. */
export function newBlock(store: CellStore | null, length: number): Block {
  const block = { cells: noCells, at: 0, length: 0, store };
  takeCells(block, length);
  return block;
}

/** What a block without cells lies in. */
export const noCells = new Float32Array(0);

/** Gives a block without cells `length` of them, all zero. */
export function takeCells(block: Block, length: number): void {
  block.length = length;
  if (block.store === null) {
    block.cells = new Float32Array(length);
    block.at = 0;
  } else place(block, block.store, Math.ceil(length / step));
}

/** Gives the cells of a block back; it may take others. */
export function giveBackCells(block: Block): void {
  const { store, cells, at, length } = block;
  if (store !== null && length > 0) {
    const steps = Math.ceil(length / step);
    store.free[steps] ??= [];
    store.free[steps].push(store.pages.indexOf(cells), at);
    store.taken -= steps * step;
  }
  block.cells = noCells;
  block.at = 0;
  block.length = 0;
}

/** Sets all cells to 0. */
export function clearCells({ cells, at, length }: Block): void {
  cells.fill(0, at, at + length);
}

function place(block: Block, store: CellStore, steps: number): void {
  store.taken += steps * step;
  const free = store.free[steps];
  const at = free?.pop();
  const page = free?.pop();
  if (at !== undefined && page !== undefined) {
    block.cells = store.pages[page] ?? noCells;
    block.at = at;
    clearCells(block);
    return;
  }
  const last = store.pages.at(-1) ?? noCells;
  if (last.length - store.used >= steps * step) {
    block.cells = last;
    block.at = store.used;
  } else {
    // What is left of the last page is lost: less than a block.
    block.cells = new Float32Array(Math.min(pageLengthMax, Math.max(pageLengthMin, 2 * last.length)));
    block.at = 0;
    store.pages.push(block.cells);
  }
  store.used = block.at + steps * step;
}
