/** Undoes the Content-Encoding of a body, never beyond a limit: a bomb costs at most that limit. */

import type { Transform } from "node:stream";
import {
  constants,
  createGunzip,
  createInflate,
  createZstdDecompress,
  gunzipSync,
  inflateSync,
  zstdDecompressSync,
} from "node:zlib";
import type { BodyRead, Refused } from "./otlp-body.ts";
import type { ByteLease } from "./otlp-in-flight.ts";

export type ContentCoding = "identity" | "gzip" | "deflate" | "zstd";

/** For the Accept-Encoding header of a 415 (RFC 9110, 15.5.16). */
export const supportedCodings = "gzip, deflate, zstd, identity";

/** Up to here inflating on the spot is cheaper than a thread: some 3 ms for 2,000 spans. */
const syncBytesMax = 256 * 1024;
/** Output is allocated in steps of this size; the default of 16 KiB costs a fifth more. */
const chunkSize = 256 * 1024;
/** A zstd frame may ask for a window of 2 GiB; ours is 64 MiB. */
const zstdParams = { [constants.ZSTD_d_windowLogMax]: 26 };

/** The coding a Content-Encoding header names, or undefined for one, or a chain, that is not supported. */
export function contentCodingOf(header: string | undefined): ContentCoding | undefined {
  const name = (header ?? "").trim().toLowerCase();
  if (name === "" || name === "identity") return "identity";
  if (name === "gzip" || name === "x-gzip") return "gzip";
  return name === "deflate" || name === "zstd" ? name : undefined;
}

/** An inflated body, or why there is none. */
type Inflated = Exclude<BodyRead, { kind: "gone" }>;

/** The code of the error that `inflateBytes` throws for bytes that would become too many. */
export const tooLargeCode = "ERR_BUFFER_TOO_LARGE";

/** Undoes a coding on the spot. @throws an error with a code for corrupt bytes, or with `tooLargeCode`. */
export function inflateBytes(bytes: Uint8Array, coding: Exclude<ContentCoding, "identity">, bytesMax: number): Buffer {
  const options = { chunkSize, maxOutputLength: bytesMax };
  if (coding === "gzip") return gunzipSync(bytes, options);
  if (coding === "deflate") return inflateSync(bytes, options);
  return zstdDecompressSync(bytes, { ...options, params: zstdParams });
}

export interface InflateLimits {
  readonly bytesMax: number;
  readonly lease: ByteLease;
}

/**
 * Inflates a whole body. What it becomes is taken from the lease beside what it was. Refused with 413 beyond `bytesMax`,
 * 429 where the lease ends first, 400 where the bytes are not of that coding.
 */
export async function inflateBody(body: Buffer, coding: ContentCoding, limits: InflateLimits): Promise<Inflated> {
  if (coding === "identity") return body.length > limits.bytesMax ? tooLarge(limits) : { kind: "body", bytes: body };
  return body.length <= syncBytesMax ? inflateNow(body, coding, limits) : inflateAside(body, coding, limits);
}

function inflateNow(body: Buffer, coding: Exclude<ContentCoding, "identity">, limits: InflateLimits): Inflated {
  const { bytesMax, lease } = limits;
  const room = Math.max(1, Math.min(bytesMax, lease.free));
  try {
    const bytes = inflateBytes(body, coding, room);
    return lease.take(bytes.length) ? { kind: "body", bytes } : crowded;
  } catch (error) {
    if (codeOf(error) !== tooLargeCode) return corrupt(coding, error);
    return bytesMax <= room ? tooLarge(limits) : crowded;
  }
}

function inflateAside(
  body: Buffer,
  coding: Exclude<ContentCoding, "identity">,
  limits: InflateLimits,
): Promise<Inflated> {
  return new Promise((resolve) => {
    const stream = inflaterOf(coding);
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (read: Inflated) => {
      stream.off("data", onData);
      stream.destroy();
      resolve(read);
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > limits.bytesMax) return settle(tooLarge(limits));
      if (!limits.lease.take(chunk.length)) return settle(crowded);
      chunks.push(chunk);
    };
    stream.on("data", onData);
    stream.once("end", () => settle({ kind: "body", bytes: Buffer.concat(chunks, size) }));
    stream.on("error", (error) => settle(corrupt(coding, error)));
    stream.end(body);
  });
}

function inflaterOf(coding: Exclude<ContentCoding, "identity">): Transform {
  if (coding === "gzip") return createGunzip({ chunkSize });
  if (coding === "deflate") return createInflate({ chunkSize });
  return createZstdDecompress({ chunkSize, params: zstdParams });
}

const crowded: Refused = { kind: "refused", status: 429, message: "too many bytes of other requests are in flight" };

function tooLarge({ bytesMax }: InflateLimits): Refused {
  const message = `the inflated body is larger than ${bytesMax} bytes; lower the batch size of the exporter`;
  return { kind: "refused", status: 413, message };
}

function corrupt(coding: ContentCoding, error: unknown): Refused {
  return { kind: "refused", status: 400, message: `the body is not ${coding}: ${codeOf(error)}` };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
