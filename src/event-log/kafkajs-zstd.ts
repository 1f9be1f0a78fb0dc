/** zstd for kafkajs, which brings no code for it. */

import { promisify } from "node:util";
import {
  constants,
  type ZstdOptions,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";
import kafkajs from "kafkajs";

const [compress, decompress] = [promisify(zstdCompress), promisify(zstdDecompress)];
/** Level 1 instead of 3 (the default) takes half the time, and a fiftieth more bytes of spans. */
const fast = { [constants.ZSTD_c_compressionLevel]: 1 };
/**
 * What is not larger is done on the spot, which takes spans and records about half a millisecond. In threads of the pool each
 * piece has memory that the system must clear first: for an export twice to four times the work.
 */
const onTheSpotBytes = { compress: 128 * 1024, decompress: 48 * 1024 };
/** Output is made in pieces of this size, each a turn of a thread and of the event loop; Node's own is 16 KiB. */
const pieceBytes = { least: 16 * 1024, most: 1024 * 1024 };
/** Records are a half or a third of themselves. */
const expectedRatio = 4;

/** Of Node, which fails where it is wrong; its types do not know it. A version that does not take it only is slower. */
type SizedOptions = ZstdOptions & { readonly pledgedSrcSize: number };

/** Lets kafkajs read and write zstd, for all of its clients in this process. */
export function useZstd(): void {
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
    compress: async ({ buffer }: { readonly buffer: Buffer }) => {
      // With its size known it needs no more memory than for that.
      const chunkSize = piece(boundOf(buffer.length));
      const options: SizedOptions = { params: fast, chunkSize, pledgedSrcSize: buffer.length };
      return buffer.length <= onTheSpotBytes.compress ? zstdCompressSync(buffer, options) : compress(buffer, options);
    },
    decompress: async (buffer: Buffer) => {
      const options = { chunkSize: piece(expectedRatio * buffer.length) };
      return buffer.length <= onTheSpotBytes.decompress
        ? zstdDecompressSync(buffer, options)
        : decompress(buffer, options);
    },
  });
}

/** What incompressible bytes become at most. */
function boundOf(bytes: number): number {
  return bytes + (bytes >> 8) + 128;
}

function piece(bytes: number): number {
  return Math.min(Math.max(bytes, pieceBytes.least), pieceBytes.most);
}
